//! Tests of the crate from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod determinism;
mod hostile;
mod layouts;
mod longvideobench;
mod needles;
mod pixels;
mod plans;
mod questions;

use longsight_world::{Codec, Footage, FrameRate, FrameSize, Range, WorldSettings};

/// A few seconds of small pictures, drawn here and coded fast.
pub fn tiny() -> WorldSettings {
    WorldSettings {
        seed: 7,
        videos: 3,
        duration_secs: Range::new(3.0, 4.0),
        codecs: vec![Codec::Mpeg4],
        frame_rates: vec![FrameRate::new(10, 1)],
        sizes: vec![FrameSize::new(160, 90).unwrap()],
        footage: Footage::DRAWN.to_vec(),
        segment_secs: Range::new(0.5, 1.5),
        cards: Range::new(3, 4),
        card_secs: Range::new(0.3, 0.6),
        gap_secs: 0.2,
        ..WorldSettings::default()
    }
}

/// The output of ffmpeg or ffprobe.
pub fn run(tool: &str, args: &[&str]) -> Vec<u8> {
    let output = std::process::Command::new(tool).args(["-v", "error"]).args(args).output().unwrap();
    assert!(output.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
