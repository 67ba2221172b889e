//! Arguments of `longsight world`.

use clap::{Args, Subcommand};
use longsight_world::{Codec, Footage, FrameRate, FrameSize, Layout, QuestionKind, Stage};
use std::path::PathBuf;
use std::str::FromStr;

/// `longsight world`.
#[derive(Debug, Subcommand)]
pub enum WorldCommand {
    /// Makes videos with cards, their ground truth and questions, plain or in a benchmark's own layout
    Make(MakeArgs),
    /// Makes a haystack video without cards, and needles: still frames with one card and a question
    Needles(NeedlesArgs),
}

/// `longsight world make`.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// New folder of the world; the same command goes on where it was interrupted
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// plain, videomme, mlvu, mlvu-lmms or longvideobench
    #[arg(long, value_name = "LAYOUT", default_value = "plain")]
    pub layout: Layout,
    /// How many videos
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub videos: u32,
    /// Cards a video
    #[arg(long, value_name = "MIN..MAX", default_value = "4..8")]
    pub cards: Span<u32>,
    /// How long a card shows, in seconds
    #[arg(long, value_name = "MIN..MAX", default_value = "1.5..3")]
    pub card_secs: Span<f64>,
    /// A card shows for at least this share of its video; wins over --card-secs
    #[arg(long, value_name = "SHARE", default_value_t = 0.02)]
    pub card_min_share: f64,
    /// Least pause between two cards, in seconds
    #[arg(long, value_name = "SECS", default_value_t = 0.5)]
    pub gap_secs: f64,
    /// Questions a video; 0: as many as the layout has (plain 12, benchmarks 3)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub questions_per_video: u32,
    /// Kinds of questions, asked in turn [default: all of the stage or layout]
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    pub kinds: Vec<QuestionKind>,
    #[command(flatten)]
    pub footage: FootageArgs,
}

/// `longsight world needles`.
#[derive(Debug, Args)]
pub struct NeedlesArgs {
    /// New folder; the same command goes on where it was interrupted
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// How many needles
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub needles: u32,
    #[command(flatten)]
    pub footage: FootageArgs,
}

/// What the videos look like.
#[derive(Debug, Args)]
#[command(next_help_heading = "Footage")]
pub struct FootageArgs {
    /// Everything follows from it
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Length of the videos in seconds [default: 20..60; needles: 600..600]
    #[arg(long, value_name = "MIN..MAX")]
    pub duration_secs: Option<Span<f64>>,
    /// Codecs, drawn for each video [default: all that the installed ffmpeg has]
    #[arg(long, value_name = "CODEC,...", value_delimiter = ',')]
    pub codecs: Vec<Codec>,
    /// Frames a second, drawn for each video
    #[arg(long, value_name = "F,...", value_delimiter = ',', default_value = "10")]
    pub frame_rates: Vec<FrameRate>,
    /// Pixels, drawn for each video
    #[arg(long, value_name = "WxH,...", value_delimiter = ',', default_value = "320x180")]
    pub sizes: Vec<FrameSize>,
    /// What is seen between and behind the cards [default: everything]
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    pub footage: Vec<Footage>,
    /// Length of a piece of footage between two cuts, in seconds
    #[arg(long, value_name = "MIN..MAX", default_value = "3..12")]
    pub segment_secs: Span<f64>,
    /// Moving shapes without plate and number
    #[arg(long, value_name = "MIN..MAX", default_value = "0..3")]
    pub distractors: Span<u32>,
    /// Size of a card; 1 is the largest that fits the frame
    #[arg(long, value_name = "MIN..MAX", default_value = "0.45..0.75")]
    pub card_size: Span<f64>,
    /// Cards are tilted by at most this, either way
    #[arg(long, value_name = "DEGREES", default_value_t = 20.0)]
    pub tilt_degrees: f64,
    /// 1: single digits; 2: two digits, counts, descriptions
    #[arg(long, value_name = "1|2", default_value = "1")]
    pub stage: Stage,
    /// Videos made at the same time; 0: one for two cores
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub parallel: usize,
    /// No progress bar and no summary
    #[arg(long, short)]
    pub quiet: bool,
    /// Print what was made as one JSON object (for programs)
    #[arg(long)]
    pub json: bool,
}

/// A range as typed: `MIN..MAX`, or one number for both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span<T> {
    pub min: T,
    pub max: T,
}

impl<T: FromStr + Copy> FromStr for Span<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.parse().map_err(|_| format!("`{text}` is not MIN..MAX or one number"));
        Ok(match text.split_once("..") {
            Some((min, max)) => Self { min: number(min)?, max: number(max)? },
            None => Self { min: number(text)?, max: number(text)? },
        })
    }
}

impl<T> From<Span<T>> for longsight_world::Range<T> {
    fn from(span: Span<T>) -> Self {
        Self { min: span.min, max: span.max }
    }
}
