//! Makes a synthetic video with ffmpeg.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use longsight_testkit::SyntheticVideo;
use longsight_testkit::video::Codec;

#[derive(Parser)]
struct Args {
    /// Length in seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Frames a second
    #[arg(long, default_value_t = 10)]
    fps: u32,
    /// As WIDTHxHEIGHT, in pixels
    #[arg(long, default_value = "320x180", value_parser = parse_size)]
    size: (u32, u32),
    /// How it is coded
    #[arg(long, value_enum, default_value = "h264")]
    codec: CodecName,
    /// Seconds between keyframes
    #[arg(long, default_value_t = 2.0)]
    keyframe_secs: f64,
    /// Add a tone
    #[arg(long)]
    audio: bool,
    /// Encode this many seconds and repeat them
    #[arg(long)]
    segment_secs: Option<f64>,
    /// File to write; its extension names the container
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum CodecName {
    H264,
    Hevc,
    Vp9,
    Av1,
    Mpeg4,
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    parsed.ok_or_else(|| format!("{text} is not WIDTHxHEIGHT, for example 1920x1080"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    let video = SyntheticVideo {
        seconds: args.seconds,
        fps: args.fps,
        width: args.size.0,
        height: args.size.1,
        codec: match args.codec {
            CodecName::H264 => Codec::H264,
            CodecName::Hevc => Codec::Hevc,
            CodecName::Vp9 => Codec::Vp9,
            CodecName::Av1 => Codec::Av1,
            CodecName::Mpeg4 => Codec::Mpeg4,
        },
        keyframe_secs: args.keyframe_secs,
        audio: args.audio,
        segment_secs: args.segment_secs,
    };
    match video.write(&args.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            #[allow(clippy::print_stderr)]
            {
                eprintln!("error: {message}");
            }
            ExitCode::FAILURE
        }
    }
}
