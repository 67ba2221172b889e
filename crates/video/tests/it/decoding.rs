use std::path::Path;
use std::process::Command;

use longsight_video::{FrameCountSource, VideoInfo};

use crate::synth::{Clip, H264, assert_exact, decode, encode, number_of, probe_file, uniform};

const HEVC: [&str; 8] = [
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=none:keyint=12:bframes=3",
    "-pix_fmt",
    "yuv420p",
];
const VP9: [&str; 12] = [
    "-c:v",
    "libvpx-vp9",
    "-deadline",
    "good",
    "-cpu-used",
    "5",
    "-auto-alt-ref",
    "1",
    "-lag-in-frames",
    "16",
    "-g",
    "20",
];

fn made(name: &str, clip: &Clip) -> VideoInfo {
    let folder = tempfile::tempdir().unwrap();
    let info = probe_file(&encode(&folder.path().join(name), clip));
    // The file has to outlive the probe; tests are short.
    std::mem::forget(folder);
    info
}

#[test]
fn h264_with_b_frames_in_every_container() {
    for name in ["a.mp4", "a.mkv", "a.mov", "a.ts", "a.flv"] {
        let info = made(name, &Clip { args: &H264, ..Clip::default() });
        eprintln!(
            "{name} {:?} {} {} {:?}",
            info.frame_count_source,
            info.total_frames,
            info.container_start_secs,
            &info.frame_times[..3]
        );
        assert_eq!((info.total_frames, info.width, info.height), (60, 160, 64), "{name}");
        assert_exact(&info, 7, |index| index);
        assert_exact(&info, 60, |index| index);
    }
}
#[test]
fn codecs() {
    for (name, args) in [
        ("a.mp4", &HEVC[..]),
        ("b.mkv", &HEVC[..]),
        ("c.ts", &HEVC[..]),
        ("a.webm", &VP9[..]),
        ("a.avi", &["-c:v", "mpeg4", "-bf", "2", "-q:v", "3"]),
        ("h.avi", &H264),
        ("nob.avi", &["-c:v", "mpeg4", "-q:v", "3", "-g", "12"]),
        ("x.mpg", &["-c:v", "mpeg2video", "-bf", "2", "-q:v", "3", "-r", "25"]),
        ("raw.h264", &H264),
        ("raw.hevc", &HEVC),
        ("v8.webm", &["-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-g", "20"]),
        ("o.ogv", &["-c:v", "libtheora", "-g", "12"]),
    ] {
        let fps = if name == "x.mpg" { "25" } else { "10" };
        let info = made(name, &Clip { args, fps, ..Clip::default() });
        eprintln!(
            "{name} {:?} {} start {} {:?} keys {:?} ({} {})",
            info.frame_count_source,
            info.total_frames,
            info.container_start_secs,
            &info.frame_times[..3],
            info.keyframes,
            info.width,
            info.height
        );
        let r = std::panic::catch_unwind(|| {
            assert_eq!((info.total_frames, info.width, info.height), (60, 160, 64), "{name}");
            assert_exact(&info, 7, |index| index);
            assert_exact(&info, 60, |index| index);
        });
        eprintln!("{name}: {}", r.is_ok());
    }
}
