//! What was really done to get an answer.

mod build;

pub(crate) use build::ReceiptFacts;

use crate::budget::MemoryEstimate;
use crate::dedupe::Dedupe;
use crate::generate::StopReason;
use crate::index::IndexReceipt;
use crate::settings::{EngineSettings, GenerationSettings, PromptSettings};
use crate::timings::Timings;
use crate::warning::Warning;
use longsight_method::{ContextMethod, NewlineMode, PoolMode, PoolSpec, Ramp, UnitRole};
use longsight_models::processor::TemplateKind;
use longsight_models::{Dtypes, StoredMatrices};
use longsight_video::{Colour, DecodeStrategy, MediaTime, SubtitleReading};
use serde::Serialize;

/// The whole receipt. Field names are stable; new ones may be added.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// The program's version.
    pub longsight_version: &'static str,
    /// The model.
    pub model: ModelReceipt,
    /// The video.
    pub video: VideoReceipt,
    /// Every frame in the prompt.
    pub frames: Vec<FrameReceipt>,
    /// Token counts.
    pub tokens: TokenReceipt,
    /// Positions.
    pub context: ContextReceipt,
    /// Pooling.
    pub pool: PoolReceipt,
    /// Near-duplicate frames.
    pub dedupe: DedupeReceipt,
    /// What was read from the index and written to it; absent where it was not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexReceipt>,
    /// Which chat template.
    pub template: TemplateKind,
    /// What stood around the question.
    pub prompt: PromptSettings,
    /// Choice of tokens.
    pub generation: GenerationSettings,
    /// Why the answer ended.
    pub stop_reason: StopReason,
    /// How the work was cut.
    pub engine: EngineSettings,
    /// Threads used.
    pub threads: usize,
    /// The KV cache.
    pub kv_cache: KvReceipt,
    /// Seconds by stage, of this question (the first one includes the video).
    pub timings: Timings,
    /// What the plan expected.
    pub memory_estimate: MemoryEstimate,
    /// The same, summed.
    pub memory_estimate_total_bytes: u64,
    /// Largest sampled resident memory of the process and its children; absent where the system does not tell.
    pub peak_bytes: Option<u64>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// The model as it ran.
#[derive(Debug, Clone, Serialize)]
pub struct ModelReceipt {
    /// Family.
    pub family: String,
    /// Dtypes of the weights: `dtype` and `vision_dtype`.
    #[serde(flatten)]
    pub dtypes: Dtypes,
    /// What the matrices are stored as: not all rows fit the blocks of every dtype.
    pub matrices: Vec<StoredMatrices>,
    /// Bytes of the weights.
    pub weights_bytes: u64,
    /// `cpu`, `cuda` or `metal`.
    pub device: &'static str,
    /// What the kernels run on, on a CPU: floats differ between them in their last bits, and `avx512bf16` rounds what it multiplies by
    /// bf16 weights, and in attention unless the cache is f32, to bf16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_set: Option<&'static str>,
    /// The file with the pixels' mean and std; absent where the family's default was used.
    pub pixel_settings_source: Option<String>,
}

/// The video as it was read.
#[derive(Debug, Clone, Serialize)]
pub struct VideoReceipt {
    /// File, URL or folder.
    pub source: String,
    /// Seconds.
    pub duration_secs: f64,
    /// Pixels, after rotation.
    pub width: u32,
    /// Pixels, after rotation.
    pub height: u32,
    /// Clockwise turn that was applied.
    pub rotation_degrees: u32,
    /// Whether left and right changed places before it; absent where not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_mirrored: bool,
    /// Width : height of a pixel; null where it is square, or the file does not say. Pictures are not stretched.
    pub pixel_aspect: Option<String>,
    /// Codec.
    pub codec: String,
    /// As ffprobe names it, like the next four; null where the file does not say, and for images.
    pub pixel_format: Option<String>,
    /// Matrix from YCbCr to RGB.
    pub color_matrix: Option<String>,
    /// `tv` or `pc`.
    pub color_range: Option<String>,
    /// Transfer characteristics. HDR is not tone-mapped.
    pub color_transfer: Option<String>,
    /// `progressive`, or which field comes first. Frames are not deinterlaced.
    pub field_order: Option<String>,
    /// N of the index rule.
    pub total_frames: usize,
    /// Where N and the times come from.
    pub frame_count_source: String,
    /// What was asked for: frames and range.
    pub requested: String,
    /// First and last index of the clip.
    pub clip: (usize, usize),
    /// How frames were reached: seek, sequential or images.
    pub decode_strategy: DecodeStrategy,
    /// Why.
    pub decode_strategy_reason: String,
    /// How pictures became RGB.
    pub colour: Colour,
    /// Flags of ffmpeg's scaler in that.
    pub scaler_flags: &'static str,
    /// Subtitle cues in the prompt.
    pub subtitle_cues: usize,
    /// How the subtitles were read; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtitles: Option<SubtitleReading>,
}

/// One frame of the prompt.
#[derive(Debug, Clone, Serialize)]
pub struct FrameReceipt {
    /// Rank of its presentation time in the video.
    pub index: usize,
    /// Presentation time.
    pub time_secs: MediaTime,
    /// Its part in its group.
    pub role: UnitRole,
    /// Its pooling stride.
    pub stride: usize,
    /// Its visual tokens.
    pub visual_tokens: usize,
    /// Position of its first token in the prompt.
    pub first_position: usize,
    /// Index of the frame that stands in for it, as it could not be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by_index: Option<usize>,
    /// Whether it is predicted from a damaged frame, so that parts of it may be wrong; absent where not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub after_damage: bool,
    /// Whether it took the features of the last frame before it that was encoded; absent where not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
}

/// Token counts.
#[derive(Debug, Clone, Serialize)]
pub struct TokenReceipt {
    /// Visual tokens, newlines not counted.
    pub visual: usize,
    /// Newline embeddings.
    pub newline: usize,
    /// Text before and after the video, and between its units.
    pub text: usize,
    /// Prompt in all.
    pub prompt: usize,
    /// Of these, found in the KV cache from earlier turns (the video included).
    pub reused: usize,
    /// Answer.
    pub generated: usize,
}

/// How positions were extended.
#[derive(Debug, Clone, Serialize)]
pub struct ContextReceipt {
    /// Method.
    pub method: ContextMethod,
    /// s.
    pub scale: f64,
    /// m, multiplied into cos and sin.
    pub attention_factor: f64,
    /// Whether m was on.
    pub attention_factor_on: bool,
    /// The window of s and the ramp, in tokens.
    pub window_tokens: usize,
    /// Where the window comes from.
    pub window_source: String,
    /// Visual tokens that s was computed from.
    pub scaled_tokens: usize,
    /// Ends of the ramp, in rotations.
    pub alpha: f64,
    /// See alpha.
    pub beta: f64,
    /// Form of the ramp.
    pub ramp: Ramp,
    /// First pair of the ramp, where the method has one.
    pub ramp_low: Option<usize>,
    /// Last pair of the ramp.
    pub ramp_high: Option<usize>,
}

/// How frames were pooled.
#[derive(Debug, Clone, Serialize)]
pub struct PoolReceipt {
    /// Groups and strides.
    pub spec: PoolSpec,
    /// Interpolation.
    pub mode: PoolMode,
    /// Newlines.
    pub newline: NewlineMode,
}

/// How near-duplicate frames were treated.
#[derive(Debug, Clone, Serialize)]
pub struct DedupeReceipt {
    /// `off`, `exact`, or the largest mean absolute difference of channel values (0..255) from the last encoded frame.
    pub setting: Dedupe,
    /// Frames that went through the vision tower: none where the index had their features.
    pub encoded_frames: usize,
    /// Frames that took, or have in the index, the features of another.
    pub reused_frames: usize,
}

/// The cache.
#[derive(Debug, Clone, Serialize)]
pub struct KvReceipt {
    /// `f32`, `f16`, `bf16`, or `q8`: signed bytes with an f32 scale for every head of every token.
    pub dtype: &'static str,
    /// Tokens reserved.
    pub capacity_tokens: usize,
    /// Bytes reserved, scales included.
    pub bytes: usize,
}
