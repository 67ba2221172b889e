//! Exactly the planned frames, whatever the codec, the container and the way to reach them.

use longsight_video::FrameCountSource::{PacketCount, PacketDecodingTimes, PacketPresentationTimes};
use longsight_video::{Frame, FrameBudget, MediaTime, SampleSettings};

use crate::synth::{
    Clip, H264, Made, assert_exact, decode, ffmpeg, frame_rate_option, has_encoder, made, number_of,
    probe_file, uniform,
};

const HEVC: [&str; 8] = [
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=none:keyint=12:bframes=3:open-gop=1",
    "-pix_fmt",
    "yuv420p",
];

fn secs(made: &Made) -> Vec<f64> {
    made.info.frame_times.iter().map(|time| time.secs()).collect()
}

fn assert_plain(made: &Made) {
    let info = &made.info;
    assert_eq!((info.total_frames, info.width, info.height), (60, 160, 64), "{}", made.name);
    assert_eq!(info.frame_times.len(), 60);
    for (index, time) in info.frame_times.iter().enumerate() {
        assert!((time.secs() - index as f64 / 10.0).abs() < 1e-9, "{}: {index} at {time}", made.name);
    }
    assert!((info.duration_secs - 6.0).abs() < 0.05, "{}: {} s", made.name, info.duration_secs);
    assert_exact(info, 7, |index| index);
    assert_exact(info, 60, |index| index);
}

#[test]
fn h264_with_b_frames_in_every_container() {
    for name in ["a.mp4", "a.mkv", "a.mov", "a.ts", "a.flv"] {
        let made = made(name, &Clip::default());
        assert_eq!(made.info.frame_count_source, PacketPresentationTimes);
        assert_eq!(made.info.codec, "h264");
        assert_plain(&made);
    }
}

#[test]
fn hevc_with_open_groups() {
    for name in ["a.mp4", "a.ts"] {
        assert_plain(&made(name, &Clip { args: &HEVC, ..Clip::default() }));
    }
}

#[test]
fn h264_with_open_groups() {
    let x264 = "open-gop=1:keyint=12:bframes=3:b-pyramid=normal:b-adapt=0";
    let args = ["-c:v", "libx264", "-preset", "veryfast", "-x264-params", x264, "-pix_fmt", "yuv420p"];
    for name in ["a.mkv", "a.ts"] {
        assert_plain(&made(name, &Clip { args: &args, ..Clip::default() }));
    }
}

#[test]
fn vp8_and_vp9_with_hidden_frames() {
    let hidden =
        ["-auto-alt-ref", "1", "-lag-in-frames", "16", "-g", "20", "-deadline", "good", "-cpu-used", "5"];
    for codec in ["libvpx", "libvpx-vp9"] {
        let args = [&["-c:v", codec], &hidden[..]].concat();
        assert_plain(&made("a.webm", &Clip { args: &args, ..Clip::default() }));
    }
}

#[test]
fn av1() {
    let svt = ["-c:v", "libsvtav1", "-preset", "12", "-g", "20", "-pix_fmt", "yuv420p"];
    let aom =
        ["-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "20", "-pix_fmt", "yuv420p"];
    let args = match (has_encoder("libsvtav1"), has_encoder("libaom-av1")) {
        (true, _) => &svt[..],
        (_, true) => &aom[..],
        _ => return eprintln!("skipped: this ffmpeg has no AV1 encoder (libsvtav1, libaom-av1)"),
    };
    assert_plain(&made("a.mkv", &Clip { args, ..Clip::default() }));
}

#[test]
fn packets_without_presentation_times_are_counted() {
    let mpeg4 = ["-c:v", "mpeg4", "-bf", "2", "-q:v", "3", "-g", "12"];
    let plain_mpeg4 = ["-c:v", "mpeg4", "-q:v", "3", "-g", "12"];
    for (name, args, source) in [
        ("a.avi", &mpeg4[..], PacketDecodingTimes),
        ("a.avi", &H264[..], PacketDecodingTimes),
        ("a.avi", &plain_mpeg4[..], PacketPresentationTimes),
        ("a.h264", &H264[..], PacketCount),
    ] {
        let made = made(name, &Clip { args, ..Clip::default() });
        assert_eq!(made.info.frame_count_source, source, "{name} {args:?}");
        assert_plain(&made);
    }
}

#[test]
fn variable_frame_rate_keeps_true_times() {
    let times = ["-vf", "settb=1/1000,setpts=100*N+5*N*N", "-enc_time_base", "1:1000"];
    let args = [&times[..], &[frame_rate_option(), "passthrough"], &H264].concat();
    for name in ["a.mp4", "a.mkv"] {
        let made = made(name, &Clip { args: &args, ..Clip::default() });
        let expected = |n: f64| (n + n * n / 20.0) / 10.0;
        for (index, time) in secs(&made).into_iter().enumerate() {
            assert!((time - expected(index as f64)).abs() < 0.002, "{name}: frame {index} at {time}");
        }
        assert_exact(&made.info, 9, |index| index);
        let every_two_secs = SampleSettings {
            budget: FrameBudget::Fps { fps: 0.5, max_frames: 64 },
            ..SampleSettings::default()
        };
        let frames = decode(&made.info, &every_two_secs);
        let shown_at = |time: f64| secs(&made).iter().filter(|&&start| start <= time + 0.002).count() - 1;
        let numbers: Vec<usize> = frames.iter().map(number_of).collect();
        assert_eq!(numbers, (0..numbers.len()).map(|k| shown_at(2.0 * k as f64)).collect::<Vec<_>>());
        assert_eq!(numbers.len(), (made.info.duration_secs / 2.0).ceil() as usize);
    }
}

#[test]
fn rotation_is_applied() {
    let made = made("a.mp4", &Clip { size: (160, 80), frames: 30, ..Clip::default() });
    let mut seen = Vec::new();
    for degrees in ["90", "180", "270"] {
        let turned = made.path.with_file_name("turned.mp4");
        // ffmpeg up to 5 writes the matrix from a tag, later ones from an option; which way they turn differs.
        let (input, turned_name) = (made.path.to_str().unwrap(), turned.to_str().unwrap());
        if ffmpeg(&["-display_rotation", degrees, "-i", input, "-c", "copy", turned_name]).is_err() {
            let tag = format!("rotate={degrees}");
            ffmpeg(&["-i", input, "-c", "copy", "-metadata:s:v:0", &tag, turned_name]).unwrap();
        }
        let info = probe_file(&turned);
        let size = if degrees == "180" { (160, 80) } else { (80, 160) };
        assert_eq!((info.width, info.height), size);
        for frame in decode(&info, &uniform(4)) {
            assert_eq!((frame.width, frame.height), size);
            let upright = (0..4 - info.rotation_degrees / 90).fold(frame, |frame, _| turn_clockwise(&frame));
            assert_eq!(number_of(&upright), upright.index);
        }
        seen.push(info.rotation_degrees);
    }
    seen.sort_unstable();
    assert_eq!(seen, [90, 180, 270]);
}

fn turn_clockwise(frame: &Frame) -> Frame {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let mut rgb = Vec::with_capacity(frame.rgb.len());
    for y in 0..width {
        for x in 0..height {
            let source = ((height - 1 - x) * width + y) * 3;
            rgb.extend_from_slice(&frame.rgb[source..source + 3]);
        }
    }
    Frame { width: frame.height, height: frame.width, rgb, ..frame.clone() }
}

#[test]
fn odd_sizes_and_ten_bits() {
    let vp9 =
        ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "20", "-pix_fmt", "yuv420p"];
    let made_odd = made("a.webm", &Clip { args: &vp9, size: (161, 63), frames: 30, ..Clip::default() });
    assert_eq!((made_odd.info.width, made_odd.info.height), (161, 63));
    assert_exact(&made_odd.info, 30, |index| index);

    let high10 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-pix_fmt", "yuv420p10le"];
    let made_deep = made("a.mp4", &Clip { args: &high10, frames: 30, ..Clip::default() });
    assert_eq!(made_deep.info.pixel_format.as_deref(), Some("yuv420p10le"));
    assert_exact(&made_deep.info, 30, |index| index);
}

#[test]
fn a_stream_that_changes_its_size_is_scaled_to_the_first() {
    let part = |name: &str, size, offset: &str| {
        let timing = ["-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", offset];
        made(name, &Clip { frames: 30, size, args: &[&H264[..], &timing].concat(), ..Clip::default() })
    };
    let (first, second) = (part("a.ts", (160, 64), "1"), part("b.ts", (320, 128), "4"));
    let joined = first.path.with_file_name("joined.ts");
    std::fs::write(
        &joined,
        [std::fs::read(&first.path).unwrap(), std::fs::read(&second.path).unwrap()].concat(),
    )
    .unwrap();
    let info = probe_file(&joined);
    assert_eq!((info.total_frames, info.width, info.height), (60, 160, 64));
    assert_exact(&info, 20, |index| index % 30);
}

#[test]
fn frames_that_an_edit_list_cuts_are_not_counted() {
    let made = made("a.mp4", &Clip::default());
    let cut = made.path.with_file_name("cut.mp4");
    ffmpeg(&["-ss", "2.05", "-i", made.path.to_str().unwrap(), "-c", "copy", cut.to_str().unwrap()]).unwrap();
    let info = probe_file(&cut);
    assert_eq!(info.total_frames, 39);
    assert!(info.keyframes[0] > 0, "the cut is meant to begin between keyframes");
    assert_exact(&info, 39, |index| index + 21);
}

#[test]
fn times_count_from_the_containers_start() {
    let made = made("a.mp4", &Clip::default());
    let input = made.path.to_str().unwrap();
    let sine = ["-f", "lavfi", "-i", "sine=duration=6"];
    for (name, start) in [("late.mkv", 0.5), ("late.ts", 0.5)] {
        let late = made.path.with_file_name(name);
        let args =
            [&["-itsoffset", "0.5", "-i", input], &sine[..], &["-c:v", "copy", late.to_str().unwrap()]]
                .concat();
        ffmpeg(&args).unwrap();
        let info = probe_file(&late);
        assert!(info.has_audio);
        assert!((info.frame_times[0].secs() - start).abs() < 0.05, "{name}: {:?}", info.frame_times[0]);
        assert_exact(&info, 6, |index| index);
    }
    let no_list = made.path.with_file_name("no_list.mp4");
    ffmpeg(&["-i", input, "-c", "copy", "-use_editlist", "0", no_list.to_str().unwrap()]).unwrap();
    let info = probe_file(&no_list);
    assert_eq!((info.frame_times[0], info.total_frames), (MediaTime::ZERO, 60));
    assert_exact(&info, 6, |index| index);
}

#[test]
fn the_default_video_stream_is_taken_and_cover_art_is_none() {
    let main = made("a.mkv", &Clip::default());
    let other = made("b.mkv", &Clip { frames: 20, ..Clip::default() });
    let cover = made("cover.png", &Clip { frames: 1, args: &[], ..Clip::default() });
    let both = main.path.with_file_name("both.mkv");
    let covered = main.path.with_file_name("covered.mp4");
    let (main_path, cover_path) = (main.path.to_str().unwrap(), cover.path.to_str().unwrap());
    ffmpeg(&[
        &["-i", other.path.to_str().unwrap(), "-i", main_path, "-map", "0", "-map", "1", "-c", "copy"][..],
        &["-disposition:v:0", "0", "-disposition:v:1", "default", both.to_str().unwrap()],
    ]
    .concat())
    .unwrap();
    let info = probe_file(&both);
    assert_eq!(info.total_frames, 60);
    assert!(info.warnings.iter().any(|warning| warning.contains("2 video streams")), "{:?}", info.warnings);
    assert_exact(&info, 6, |index| index);
    ffmpeg(
        &[
            &["-i", cover_path, "-i", main_path, "-map", "0", "-map", "1", "-c", "copy"][..],
            &["-disposition:v:0", "attached_pic", covered.to_str().unwrap()],
        ]
        .concat(),
    )
    .unwrap();
    assert_exact(&probe_file(&covered), 6, |index| index);
}
