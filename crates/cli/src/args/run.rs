//! The flags that commands share.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use longsight_engine::{Dedupe, LogprobCount};
use longsight_hub::BUILT_IN;
use longsight_method::{ContextMethod, PoolSpec, Scale};
use longsight_models::WeightDtype;
use longsight_models::processor::TemplateKind;
use longsight_text::TextEncoding;
use longsight_video::{Colour, MediaTime};

/// Flags that every command shares.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub video: VideoArgs,
    #[command(flatten)]
    pub method: MethodArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub generation: GenerationArgs,
    /// Print one JSON object (for programs)
    #[arg(long)]
    pub json: bool,
}

/// The model.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// Checkpoint: a folder, ORG/NAME or ORG/NAME@REVISION on the Hugging Face hub, a GGUF file of a language model alone
    /// (`chat` without a video), or `tiny`, the one built in
    #[arg(long, env = "LONGSIGHT_MODEL", default_value = BUILT_IN, value_name = "FOLDER|ORG/NAME|tiny")]
    pub model: String,
    /// Dtype of the language model's weights, quantized while they load [default: the checkpoint's own]
    #[arg(long, value_parser = weight_dtypes())]
    pub dtype: Option<WeightDtype>,
    /// Dtype of the vision tower and the projector [default: --dtype where that is a float, else int8]
    #[arg(long, value_parser = weight_dtypes())]
    pub vision_dtype: Option<WeightDtype>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceKind::Cpu)]
    pub device: DeviceKind,
    /// Chat template: the trained one, or the checkpoint's own
    #[arg(long, default_value_t = TemplateKind::default(), value_name = "trained|checkpoint")]
    pub template: TemplateKind,
}

/// The names of all dtypes, for help and errors too.
pub fn weight_dtypes() -> impl TypedValueParser<Value = WeightDtype> {
    PossibleValuesParser::new(WeightDtype::ALL.map(WeightDtype::as_str))
        .try_map(|name| name.parse::<WeightDtype>())
}

/// Devices.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DeviceKind {
    Cpu,
    Cuda,
    Metal,
}

/// The video.
#[derive(Debug, Args)]
#[command(next_help_heading = "Video")]
pub struct VideoArgs {
    /// This many frames, evenly spaced
    #[arg(long, value_name = "N", conflicts_with_all = ["fps", "max_frames"])]
    pub frames: Option<usize>,
    /// Frames a second [default: 1; in a benchmark --frames 32]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    pub fps: Option<f64>,
    /// With --fps: evenly spaced frames, this many, where it would give more [default: 128]
    #[arg(long, value_name = "M")]
    pub max_frames: Option<usize>,
    /// Begin here (90, 1:30 or 1:02:03.5)
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub from: Option<MediaTime>,
    /// End here
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub to: Option<MediaTime>,
    /// Subtitles to put before the question: an .srt, .vtt or .ass file, `embedded`, or one of the video's own by language or
    /// number (`embedded:eng`, `embedded:3`)
    #[arg(long, value_name = "FILE|embedded[:WHICH]")]
    pub subtitles: Option<String>,
    /// Encoding of the subtitle file, such as windows-1251 or gbk [default: from its bytes; a guess is told]
    #[arg(long, value_name = "NAME", requires = "subtitles")]
    pub subtitle_encoding: Option<TextEncoding>,
    /// How pictures become RGB: as PyAV and the decoders that models were trained with do, or as exactly as swscale can
    #[arg(long, default_value_t = Colour::default(), value_name = "reference|accurate")]
    pub colour: Colour,
    /// Let ffmpeg open a URL
    #[arg(long)]
    pub allow_url: bool,
    /// Images a second of a folder of images, for their times
    #[arg(long, value_name = "F", default_value_t = 1.0, allow_negative_numbers = true)]
    pub image_fps: f64,
}

/// The method.
#[derive(Debug, Args)]
#[command(next_help_heading = "Method")]
pub struct MethodArgs {
    /// Context method: none, linear, ntk, yarn or vcwe
    #[arg(long, default_value_t = ContextMethod::Vcwe, value_name = "METHOD")]
    pub context: ContextMethod,
    /// Scale factor s: auto, or a number from 1 up
    #[arg(long, default_value_t = Scale::Auto, value_name = "auto|F", allow_negative_numbers = true)]
    pub scale: Scale,
    /// Visual tokens seen in training [default: by model family]
    #[arg(long, value_name = "TOKENS")]
    pub visual_window: Option<usize>,
    /// Text tokens seen in training, for --context yarn [default: max_position_embeddings]
    #[arg(long, value_name = "TOKENS")]
    pub language_window: Option<usize>,
    /// YaRN's attention factor 0.1 ln(s) + 1
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub attention_factor: Switch,
    /// Lower end of the ramp, in rotations [default: 1, or the checkpoint's]
    #[arg(long, value_name = "A", allow_negative_numbers = true)]
    pub alpha: Option<f64>,
    /// Upper end of the ramp, in rotations [default: 32, or the checkpoint's]
    #[arg(long, value_name = "B", allow_negative_numbers = true)]
    pub beta: Option<f64>,
    /// Pooling: K,fine,coarse strides of progressive pooling, or uniform,S [default: by model family, 4,2,8 for LLaVA]
    #[arg(long, value_name = "K,SH,SL|uniform,S")]
    pub pool: Option<PoolSpec>,
    /// Frames that re-use the vision features of the last frame that was encoded: off (none), exact (where every resized
    /// pixel is equal; no answer changes), or T, those within a mean absolute difference of T per channel value (0..255)
    #[arg(long, default_value_t = Dedupe::Exact, value_name = "off|exact|T", allow_negative_numbers = true)]
    pub dedupe: Dedupe,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// The engine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Prompt tokens a prefill step
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = parse_count)]
    pub chunk_tokens: usize,
    /// Frames that are decoded, resized and encoded together; on a CPU the tower takes fewer at a time where they are large
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = parse_count)]
    pub encode_batch: usize,
    /// How the KV cache stores keys and values: as the weights (auto; f16 beside quantized ones), or in f32, f16, bf16, or q8 (signed bytes with a scale
    /// for every head of every token; CPU only)
    #[arg(long, value_enum, default_value_t = KvKind::Auto, value_name = "auto|f32|f16|bf16|q8")]
    pub kv_dtype: KvKind,
    /// Stay below this much memory (6GiB, 800MiB): plan solves for what fits, ask refuses early
    #[arg(long, value_name = "BYTES", value_parser = crate::units::parse_bytes)]
    pub memory: Option<u64>,
    /// No progress bars, no summary and no warnings (--json has them all)
    #[arg(long)]
    pub quiet: bool,
}

/// Dtypes of the KV cache.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KvKind {
    Auto,
    F32,
    F16,
    Bf16,
    Q8,
}

/// The answer.
#[derive(Debug, Args)]
#[command(next_help_heading = "Answer")]
pub struct GenerationArgs {
    /// Longest answer, in tokens [default: 256; in a benchmark what it prescribes]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub max_new_tokens: Option<usize>,
    /// 0: the most probable token each time; above: draw
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Draw from the smallest set of tokens with this probability
    #[arg(long, value_name = "P", default_value_t = 1.0, allow_negative_numbers = true)]
    pub top_p: f64,
    /// Seed of the draws
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Penalty on tokens already in the answer; 1 is none
    #[arg(long, value_name = "R", default_value_t = 1.0, allow_negative_numbers = true)]
    pub repetition_penalty: f64,
    /// Report the log-probabilities of the first token: the N best, or all (with --json)
    #[arg(long, value_name = "N|all", value_parser = parse_logprobs)]
    pub logprobs: Option<LogprobCount>,
    /// Do not stop at an end token
    #[arg(long)]
    pub ignore_eos: bool,
}

/// A count that sizes memory: beyond any use it is a typing error, and would overflow the sums of a plan.
pub fn parse_count(text: &str) -> Result<usize, String> {
    const LIMIT: usize = 1 << 24;
    text.parse().ok().filter(|count| *count <= LIMIT).ok_or_else(|| format!("a number up to {LIMIT}"))
}

fn parse_logprobs(text: &str) -> Result<LogprobCount, String> {
    match text {
        "all" => Ok(LogprobCount::All),
        n => n.parse().map(LogprobCount::Top).map_err(|_| "a number, or all".into()),
    }
}
