//! MPEG-TS whose clock jumps: recordings that were joined.

use std::path::{Path, PathBuf};

use longsight_video::{DecodeStrategy, SampleSettings, VideoInfo};

use crate::synth::{Clip, decode, encode, number_of, probe_file, uniform};

const FRAMES: usize = 40;

/// Four seconds from `start_secs` on.
fn recording(folder: &Path, name: &str, start_secs: &str, reordering: &str) -> Vec<u8> {
    let args = [
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "10",
        "-bf",
        reordering,
        "-output_ts_offset",
        start_secs,
    ];
    std::fs::read(encode(&folder.join(name), &Clip { frames: FRAMES, args: &args, ..Clip::default() }))
        .unwrap()
}

fn joined(folder: &Path, name: &str, pieces: &[&[u8]]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, pieces.concat()).unwrap();
    path
}

/// Every frame of two recordings, one after the other, whichever way it is asked for.
fn assert_whole(info: &VideoInfo, name: &str) {
    assert_eq!(info.total_frames, 2 * FRAMES, "{name}");
    assert!((info.duration_secs - 8.0).abs() < 0.15, "{name}: {} s", info.duration_secs);
    let said = info
        .warnings
        .iter()
        .filter(|warning| warning.contains("clock jumps at 1 of its frames, first after 4.0 s"));
    assert_eq!(said.count(), 1, "{name}: {:?}", info.warnings);
    for strategy in [DecodeStrategy::Sequential, DecodeStrategy::Seek] {
        for frame in decode(info, &SampleSettings { strategy: Some(strategy), ..uniform(2 * FRAMES) }) {
            assert_eq!(
                (frame.replaced_from, number_of(&frame)),
                (None, frame.index % FRAMES),
                "{name}: {frame:?}"
            );
        }
    }
    let late = decode(info, &uniform(3));
    assert_eq!(late.iter().map(number_of).collect::<Vec<_>>(), [0, 39, 39]);
}

#[test]
fn joined_recordings_are_shown_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let first = recording(folder.path(), "first.ts", "0", "2");
    let late = recording(folder.path(), "late.ts", "500", "2");
    let half = recording(folder.path(), "half.ts", "0.05", "0");
    for (name, pieces) in [
        ("same.ts", [&first, &first]),
        ("half.ts", [&first, &half]),
        ("back.ts", [&late, &first]),
        ("ahead.ts", [&first, &late]),
    ] {
        assert_whole(&probe_file(&joined(folder.path(), name, &pieces.map(|piece| &piece[..]))), name);
    }
}

#[test]
fn a_clock_that_runs_on_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = recording(folder.path(), "first.ts", "0", "2");
    let next = recording(folder.path(), "next.ts", "7", "2");
    let info = probe_file(&joined(folder.path(), "gap.ts", &[&first, &next]));
    assert_eq!((info.total_frames, info.warnings.len()), (2 * FRAMES, 0), "{:?}", info.warnings);
    assert!((info.duration_secs - 11.0).abs() < 0.3, "{} s", info.duration_secs);
}
