//! Writes a checkpoint with seeded random weights. Its answers mean nothing.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use longsight_testkit::{Dtype, Layout, SeededCheckpoint, Shape};

#[derive(Parser)]
struct Args {
    /// Model sizes
    #[arg(long, value_enum, default_value = "tiny")]
    shape: ShapeName,
    /// Of the stored weights
    #[arg(long, value_enum, default_value = "bf16")]
    dtype: DtypeName,
    /// Tensor names; llava-video-7b is lmms unless given
    #[arg(long, value_enum)]
    layout: Option<LayoutName>,
    /// Instead of the shape's own number
    #[arg(long)]
    tower_layers: Option<usize>,
    /// Instead of the shape's own number
    #[arg(long)]
    decoder_layers: Option<usize>,
    /// Of the weights
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ShapeName {
    Tiny,
    #[value(name = "0.5b")]
    HalfB,
    #[value(name = "7b")]
    SevenB,
    #[value(name = "llava-video-7b")]
    LlavaVideo7b,
}

#[derive(Clone, Copy, ValueEnum)]
enum DtypeName {
    F32,
    Bf16,
    F16,
}

#[derive(Clone, Copy, ValueEnum)]
enum LayoutName {
    Hf,
    Lmms,
    HfMemory,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let layout = match args.layout {
        Some(LayoutName::Lmms) => Layout::LmmsLab,
        Some(LayoutName::HfMemory) => Layout::HfInMemory,
        None if args.shape == ShapeName::LlavaVideo7b => Layout::LmmsLab,
        Some(LayoutName::Hf) | None => Layout::LlavaHf,
    };
    let checkpoint = SeededCheckpoint {
        shape: match args.shape {
            ShapeName::Tiny => Shape::Tiny,
            ShapeName::HalfB => Shape::Ov05b,
            ShapeName::SevenB => Shape::Ov7b,
            ShapeName::LlavaVideo7b => Shape::LlavaVideo7b,
        },
        dtype: match args.dtype {
            DtypeName::F32 => Dtype::F32,
            DtypeName::Bf16 => Dtype::Bf16,
            DtypeName::F16 => Dtype::F16,
        },
        layout,
        tower_layers: args.tower_layers,
        decoder_layers: args.decoder_layers,
        seed: args.seed,
        ..SeededCheckpoint::default()
    };
    checkpoint.write(&args.out)
}
