//! Bad input, each with one clear line; and files that would make ffmpeg do more than read themselves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use longsight_video::{
    DecodeSettings, ProbeSettings, SubtitleTrack, Tools, VideoError, VideoInfo, VideoSource,
    embedded_subtitles, open_frames, probe, sample,
};

use crate::synth::{Clip, assert_exact, ffmpeg, made, probe_file, uniform};

fn try_probe(path: &Path) -> Result<VideoInfo, VideoError> {
    probe(&VideoSource::from_path(path), &ProbeSettings::default())
}

fn error_of(path: &Path) -> VideoError {
    let error = try_probe(path).unwrap_err();
    let message = error.to_string();
    assert!(!message.contains('\n') && message.contains(path.to_str().unwrap()), "{message:?}");
    error
}

fn written(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn missing_empty_and_special_files() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(error_of(&folder.path().join("none.mp4")), VideoError::Missing { .. }));
    assert!(matches!(error_of(&written(folder.path(), "empty.mp4", "")), VideoError::EmptyFile { .. }));
    assert!(matches!(error_of(Path::new("/dev/null")), VideoError::NotAFile { .. }));
}

#[test]
fn text_and_noise_renamed_mp4() {
    let folder = tempfile::tempdir().unwrap();
    let prose = "It was a dark and stormy night; the rain fell in torrents.\n".repeat(50);
    let noise: Vec<u8> = (0u32..20_000).map(|k| (k.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for path in [written(folder.path(), "text.mp4", prose), written(folder.path(), "noise.mp4", noise)] {
        let error = error_of(&path);
        assert!(matches!(error, VideoError::NotAVideo { .. }), "{error}");
    }
}

#[test]
fn a_truncated_mp4_says_so() {
    let made = made("a.mp4", &Clip::default());
    let bytes = std::fs::read(&made.path).unwrap();
    let cut = written(made.path.parent().unwrap(), "cut.mp4", &bytes[..bytes.len() * 2 / 3]);
    let error = error_of(&cut);
    assert!(matches!(error, VideoError::Truncated { .. }), "{error}");
}

#[test]
fn audio_alone_with_and_without_cover_art() {
    let cover = made("cover.png", &Clip { frames: 1, args: &[], ..Clip::default() });
    let sine = ["-f", "lavfi", "-i", "sine=duration=1"];
    let plain = cover.path.with_file_name("plain.m4a");
    ffmpeg(&[&sine[..], &[plain.to_str().unwrap()]].concat()).unwrap();
    let covered = cover.path.with_file_name("covered.mp3");
    let art = ["-i", cover.path.to_str().unwrap(), "-map", "0", "-map", "1", "-c:v", "copy"];
    ffmpeg(&[&sine[..], &art, &["-disposition:v:0", "attached_pic", covered.to_str().unwrap()]].concat())
        .unwrap();
    for path in [plain, covered] {
        let error = error_of(&path);
        assert!(
            matches!(&error, VideoError::NoVideoStream { streams, .. } if streams.contains("audio")),
            "{error}"
        );
    }
}

#[test]
fn a_playlist_cannot_make_ffmpeg_read_other_files() {
    let made = made("secret.ts", &Clip::default());
    let folder = made.path.parent().unwrap();
    let target = made.path.to_str().unwrap();
    let hls = format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{target}\n#EXT-X-ENDLIST\n");
    let concat = "ffconcat version 1.0\nfile secret.ts\n";
    let sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
    for (name, content) in
        [("a.mp4", hls.as_str()), ("a.m3u8", &hls), ("b.mp4", concat), ("c.mp4", sdp), ("c.sdp", sdp)]
    {
        let error = error_of(&written(folder, name, content));
        assert!(matches!(error, VideoError::NotAVideo { .. }), "{name}: {error}");
    }
}

#[test]
fn odd_names_are_read() {
    let made = made("a.mp4", &Clip { frames: 12, ..Clip::default() });
    for name in
        ["-i.mp4", "a:b.mp4", "%03d.mp4", "é x'\"$(id).mp4", "concat:a|b.mp4", "a?b#c.mp4", "file:x.mp4"]
    {
        let path = made.path.with_file_name(name);
        std::fs::copy(&made.path, &path).unwrap();
        assert_exact(&probe_file(&path), 3, |index| index);
    }
}

#[test]
fn more_pixels_than_allowed() {
    let made = made("a.mp4", &Clip { frames: 2, ..Clip::default() });
    let settings = ProbeSettings { max_pixels: 160 * 64 - 1, ..Default::default() };
    let error = probe(&VideoSource::from_path(&made.path), &settings).unwrap_err();
    assert!(matches!(error, VideoError::TooManyPixels { width: 160, height: 64, .. }), "{error}");

    // A tiny file that claims the largest picture there is.
    let mut bytes = std::fs::read(&made.path).unwrap();
    let avc1 = bytes.windows(4).position(|window| window == b"avc1").unwrap_or(0);
    let entry = bytes.windows(4).rposition(|window| window == b"avc1").unwrap_or(avc1);
    bytes[entry + 28..entry + 32].copy_from_slice(&[0x7f, 0xff, 0x7f, 0xff]);
    let huge = written(made.path.parent().unwrap(), "huge.mp4", bytes);
    // ffmpeg may believe the container or the codec's own header; either way nothing large is decoded.
    match try_probe(&huge) {
        Err(error) => assert!(matches!(error, VideoError::TooManyPixels { .. }), "{error}"),
        Ok(info) => assert_eq!((info.width, info.height), (160, 64)),
    }
}

#[test]
fn a_huge_raw_picture_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let header = b"YUV4MPEG2 W32767 H32767 F1:1 Ip A1:1 C420\nFRAME\n".to_vec();
    let error = error_of(&written(folder.path(), "huge.y4m", [header, vec![0; 1000]].concat()));
    assert!(matches!(error, VideoError::TooManyPixels { .. } | VideoError::NotAVideo { .. }), "{error}");
}

#[test]
fn more_frames_than_allowed() {
    let made = made("a.mp4", &Clip::default());
    let settings = ProbeSettings { max_frames: 59, ..Default::default() };
    let error = probe(&VideoSource::from_path(&made.path), &settings).unwrap_err();
    assert!(matches!(error, VideoError::TooManyFrames { max_frames: 59, .. }), "{error}");
}

#[test]
fn a_false_duration_in_the_header_is_not_believed() {
    let made = made("a.mp4", &Clip::default());
    let mut bytes = std::fs::read(&made.path).unwrap();
    // moov/mvhd: duration is 16 bytes after the version; trak/tkhd and mdhd keep theirs.
    let mvhd = bytes.windows(4).position(|window| window == b"mvhd").unwrap();
    bytes[mvhd + 20..mvhd + 24].copy_from_slice(&36_000_000u32.to_be_bytes());
    let info = probe_file(&written(made.path.parent().unwrap(), "false.mp4", bytes));
    assert!((info.duration_secs - 6.0).abs() < 0.01, "{}", info.duration_secs);
    assert_eq!(info.total_frames, 60);
    assert_exact(&info, 5, |index| index);
}

#[test]
fn tools_that_are_not_installed() {
    let made = made("a.mp4", &Clip { frames: 2, ..Clip::default() });
    let tools = Tools { ffmpeg: "/nonexistent/ffmpeg".into(), ffprobe: "/nonexistent/ffprobe".into() };
    let settings = ProbeSettings { tools: tools.clone(), ..Default::default() };
    let error = probe(&VideoSource::from_path(&made.path), &settings).unwrap_err();
    assert!(error.to_string().contains("install ffmpeg"), "{error}");
    let plan = sample(&made.info, &uniform(1)).unwrap();
    let settings = DecodeSettings { tools, ..Default::default() };
    let error = open_frames(&made.info, &plan, &settings).err().unwrap();
    assert!(matches!(error, VideoError::ToolMissing { .. }), "{error}");
}

#[cfg(unix)]
fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = written(folder, name, format!("#!/bin/sh\n{body}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[cfg(unix)]
#[test]
fn a_tool_that_hangs_is_stopped() {
    let made = made("a.mp4", &Clip { frames: 2, ..Clip::default() });
    let hang = script(made.path.parent().unwrap(), "hang", "exec sleep 600");
    let tools = Tools { ffprobe: hang, ..Default::default() };
    let settings = ProbeSettings { tools, timeout: Duration::from_millis(50), ..Default::default() };
    let error = probe(&VideoSource::from_path(&made.path), &settings).unwrap_err();
    assert!(matches!(error, VideoError::Timeout { tool: "ffprobe", .. }), "{error}");

    let body = "[ \"$1\" = -version ] && echo ffmpeg version 5.1 && exit\nexec sleep 600";
    let tools = Tools { ffmpeg: script(made.path.parent().unwrap(), "hang2", body), ..Default::default() };
    let settings = DecodeSettings { tools, timeout: Duration::from_millis(200), ..Default::default() };
    let plan = sample(&made.info, &uniform(1)).unwrap();
    let error = open_frames(&made.info, &plan, &settings).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, VideoError::Timeout { tool: "ffmpeg", .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_tool_that_floods_is_stopped() {
    let made = made("a.mp4", &Clip { frames: 2, ..Clip::default() });
    let flood = script(made.path.parent().unwrap(), "flood", "exec tr '\\0' x </dev/zero");
    let tools = Tools { ffprobe: flood.clone(), ffmpeg: flood };
    let settings = ProbeSettings { tools: tools.clone(), ..Default::default() };
    let error = probe(&VideoSource::from_path(&made.path), &settings).unwrap_err();
    assert!(matches!(error, VideoError::TooMuchOutput { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn dropping_the_reader_ends_ffmpeg() {
    let made = made("a.mp4", &Clip { size: (640, 480), frames: 60, ..Clip::default() });
    let plan = sample(&made.info, &uniform(60)).unwrap();
    let settings = DecodeSettings { max_buffered_bytes: 0, ..Default::default() };
    let mut frames = open_frames(&made.info, &plan, &settings).unwrap();
    frames.next().unwrap().unwrap();
    let path = made.path.to_str().unwrap().to_owned();
    assert_eq!(processes_with(&path), 1, "ffmpeg waits for its frames to be taken");
    drop(frames);
    assert_eq!(processes_with(&path), 0);
}

#[cfg(target_os = "linux")]
fn processes_with(argument: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(argument)).count()
}

#[test]
fn a_plan_for_another_video_is_refused() {
    let (long, short) =
        (made("a.mp4", &Clip::default()), made("b.mp4", &Clip { frames: 5, ..Clip::default() }));
    let plan = sample(&long.info, &uniform(4)).unwrap();
    let error = open_frames(&short.info, &plan, &DecodeSettings::default()).err().unwrap();
    assert!(matches!(error, VideoError::Decode { .. }), "{error}");
}

#[test]
fn embedded_subtitles_are_read_in_the_videos_clock_or_refused_clearly() {
    let made = made("a.mp4", &Clip::default());
    let error = embedded_subtitles(&made.info, &SubtitleTrack::Usual, &DecodeSettings::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("no subtitle stream"), "{error}");

    let srt =
        "1\n00:00:01,000 --> 00:00:02,000\n<i>One</i>\n\n2\n00:00:03,500 --> 00:00:04,250\nTwo\nlines\n";
    let srt = written(made.path.parent().unwrap(), "s.srt", srt);
    for (name, codec) in [("s.mkv", "srt"), ("s.mp4", "mov_text"), ("v.mkv", "webvtt")] {
        let path = made.path.with_file_name(name);
        let inputs = ["-i", made.path.to_str().unwrap(), "-i", srt.to_str().unwrap()];
        ffmpeg(&[&inputs[..], &["-c:v", "copy", "-c:s", codec, path.to_str().unwrap()]].concat()).unwrap();
        let subtitles =
            embedded_subtitles(&probe_file(&path), &SubtitleTrack::Usual, &DecodeSettings::default())
                .unwrap();
        let cues: Vec<_> =
            subtitles.cues.iter().map(|cue| (cue.start.secs(), cue.end.secs(), cue.text.as_str())).collect();
        assert_eq!(cues, [(1.0, 2.0, "One"), (3.5, 4.25, "Two lines")], "{name}");
    }

    let bitmap = made.path.with_file_name("bitmap.mkv");
    let inputs = ["-i", made.path.to_str().unwrap(), "-i", srt.to_str().unwrap()];
    let made_bitmap =
        ffmpeg(&[&inputs[..], &["-c:v", "copy", "-c:s", "dvd_subtitle", bitmap.to_str().unwrap()]].concat());
    if made_bitmap.is_err() {
        // ffmpeg draws no text; a stream that merely claims to be bitmaps does as well.
        let mut info = probe_file(&made.path.with_file_name("s.mkv"));
        info.subtitle_streams[0].is_text = false;
        info.subtitle_streams[0].codec = "hdmv_pgs_subtitle".to_owned();
        let error = embedded_subtitles(&info, &SubtitleTrack::Usual, &DecodeSettings::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("pictures (hdmv_pgs_subtitle)"), "{error}");
    }
}

#[test]
fn a_reader_can_move_to_another_thread() {
    fn assert_send<T: Send>() {}
    assert_send::<longsight_video::FrameReader>();
    assert_send::<VideoInfo>();
}
