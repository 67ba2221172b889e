//! What was really done to get an answer.

use crate::budget::MemoryEstimate;
use crate::dedupe::Dedupe;
use crate::generate::{Generation, StopReason};
use crate::index::{IndexReceipt, IndexUse};
use crate::plan::window_warning;
use crate::session::Session;
use crate::settings::{EngineSettings, GenerationSettings, PromptSettings};
use longsight_method::{ContextMethod, NewlineMode, PoolMode, PoolSpec, UnitRole};
use longsight_models::processor::TemplateKind;
use longsight_models::{Dtypes, StoredMatrices};
use longsight_video::{DecodeStrategy, FrameBudget, MediaTime, SCALER_FLAGS, SampleSettings};
use serde::Serialize;

/// Seconds by stage.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timings {
    /// Listing the video's packets.
    pub probe_secs: f64,
    /// Reading the index.
    pub index_secs: f64,
    /// Waiting for decoded frames.
    pub video_decode_secs: f64,
    /// Resizing (beside the encoding of earlier frames) and normalising.
    pub preprocess_secs: f64,
    /// Tower, projector, pooling.
    pub vision_secs: f64,
    /// Prompt through the language model.
    pub prefill_secs: f64,
    /// The neutral prompt that evidence is compared with.
    pub evidence_secs: f64,
    /// The answer's tokens.
    pub generate_secs: f64,
}

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
    pub warnings: Vec<String>,
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
    /// Codec.
    pub codec: String,
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
    /// Flags of ffmpeg's conversion to RGB.
    pub scaler_flags: &'static str,
    /// Subtitle cues in the prompt.
    pub subtitle_cues: usize,
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
    /// Text before and after the video.
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

impl Receipt {
    pub(crate) fn new(
        session: &Session<'_>,
        after_tokens: usize,
        reused_text: usize,
        generation: &Generation,
        timings: Timings,
    ) -> Self {
        let (model, plan, settings, cache, frames, peak) = session.parts();
        let first_question = session.questions() == 0;
        let index = session.index();
        let mut warnings = plan.warnings.clone();
        warnings.extend(session.index_warnings().iter().cloned());
        if !frames.replaced.is_empty() {
            warnings.push(format!(
                "{} of {} frames could not be decoded and are replaced by neighbours",
                frames.replaced.len(),
                plan.sample.frames.len()
            ));
        }
        let prefix = plan.layout.visual_prefix_tokens();
        let window = model.config().decoder.max_positions;
        if plan.layout.total_tokens() <= window {
            // The conversation may have outgrown what the plan knew of.
            warnings.extend(window_warning(window, prefix + after_tokens));
        }
        let prefix_read = index.is_some_and(|index| index.kv_prefix == IndexUse::Read);
        let reused = if first_question && !prefix_read { 0 } else { prefix + reused_text };
        Self {
            longsight_version: env!("CARGO_PKG_VERSION"),
            model: model_receipt(session),
            video: video_receipt(session),
            frames: frame_receipts(session),
            tokens: TokenReceipt {
                visual: plan.pool.visual_tokens(),
                newline: plan.pool.newline_tokens(),
                text: plan.prompt.before_ids.len() + after_tokens,
                prompt: prefix + after_tokens,
                reused,
                generated: generation.token_ids.len(),
            },
            context: context_receipt(session),
            pool: PoolReceipt { spec: plan.pool.spec, mode: plan.pool.mode, newline: plan.pool.newline },
            dedupe: dedupe_receipt(session, index),
            index: index.cloned(),
            template: settings.template,
            prompt: settings.prompt.clone(),
            generation: settings.generation.clone(),
            stop_reason: generation.stop_reason,
            engine: settings.engine.clone(),
            threads: longsight_kernels::threads(),
            kv_cache: KvReceipt {
                dtype: cache.dtype().as_str(),
                capacity_tokens: cache.capacity_tokens(),
                bytes: cache.bytes(),
            },
            timings,
            memory_estimate: plan.memory,
            memory_estimate_total_bytes: plan.memory.total_bytes(),
            peak_bytes: peak.peak_bytes(),
            warnings,
        }
    }
}

fn model_receipt(session: &Session<'_>) -> ModelReceipt {
    let (model, ..) = session.parts();
    let info = model.info();
    let device = model.device();
    ModelReceipt {
        family: info.config.family.name().to_owned(),
        dtypes: info.dtypes,
        matrices: info.matrices.clone(),
        weights_bytes: info.weights_bytes,
        device: if device.is_cuda() {
            "cuda"
        } else if device.is_metal() {
            "metal"
        } else {
            "cpu"
        },
        instruction_set: device.is_cpu().then(longsight_kernels::instruction_set),
        pixel_settings_source: info.config.vision.as_ref().and_then(|vision| vision.pixels.source.clone()),
    }
}

fn video_receipt(session: &Session<'_>) -> VideoReceipt {
    let (_, plan, settings, ..) = session.parts();
    let (video, sample) = (&plan.video, &plan.sample);
    VideoReceipt {
        source: video.source.name(),
        duration_secs: video.duration_secs,
        width: video.width,
        height: video.height,
        codec: video.codec.clone(),
        total_frames: video.total_frames,
        frame_count_source: video.frame_count_source.to_string(),
        requested: requested(&settings.video.sample),
        clip: sample.clip,
        decode_strategy: sample.strategy,
        decode_strategy_reason: sample.strategy_reason.clone(),
        scaler_flags: SCALER_FLAGS,
        subtitle_cues: plan.prompt.subtitle_cues,
    }
}

/// Frames and range as flags.
fn requested(settings: &SampleSettings) -> String {
    let mut text = match &settings.budget {
        FrameBudget::Uniform { frames } => format!("--frames {frames}"),
        FrameBudget::Fps { fps, max_frames } => format!("--fps {fps} --max-frames {max_frames}"),
        FrameBudget::Indices(indices) => format!("{} frames by index", indices.len()),
    };
    for (flag, time) in [("--from", settings.from), ("--to", settings.to)] {
        if let Some(time) = time {
            text.push_str(&format!(" {flag} {time}"));
        }
    }
    text
}

fn frame_receipts(session: &Session<'_>) -> Vec<FrameReceipt> {
    let (_, plan, _, _, frames, _) = session.parts();
    let record =
        |(planned, pooled): (&longsight_video::PlannedFrame, &longsight_method::PooledUnit)| FrameReceipt {
            index: planned.index,
            time_secs: planned.time,
            role: pooled.role,
            stride: pooled.stride,
            visual_tokens: pooled.visual_tokens,
            first_position: plan.layout.unit_span(planned.ordinal).start,
            replaced_by_index: frames
                .replaced
                .iter()
                .find(|r| r.ordinal == planned.ordinal)
                .map(|r| r.by_index),
            reused: frames.reused.get(planned.ordinal).is_some_and(|reused| *reused),
        };
    plan.sample.frames.iter().zip(&plan.pool.units).map(record).collect()
}

fn dedupe_receipt(session: &Session<'_>, index: Option<&IndexReceipt>) -> DedupeReceipt {
    let (_, _, settings, _, frames, _) = session.parts();
    let reused_frames = frames.reused.iter().filter(|reused| **reused).count();
    let read = index.is_some_and(|of| [of.embeddings, of.kv_prefix].contains(&IndexUse::Read));
    let encoded_frames = if read { 0 } else { frames.reused.len() - reused_frames };
    DedupeReceipt { setting: settings.dedupe, encoded_frames, reused_frames }
}

fn context_receipt(session: &Session<'_>) -> ContextReceipt {
    let (model, plan, settings, ..) = session.parts();
    let config = model.config();
    let context = &settings.context;
    let rope = context.rope(config.ramp);
    let window_source = match context.method {
        ContextMethod::Yarn if context.language_window_tokens.is_some() => "--language-window".into(),
        ContextMethod::Yarn => "max_position_embeddings".into(),
        _ if context.visual_window_tokens.is_some() => "--visual-window".into(),
        _ => config.visual_window_source.clone(),
    };
    ContextReceipt {
        method: plan.rope.method,
        scale: plan.rope.scale,
        attention_factor: plan.rope.attention_factor,
        attention_factor_on: rope.attention_factor,
        window_tokens: plan.rope.window_tokens,
        window_source,
        scaled_tokens: plan.pool.window_tokens(),
        alpha: rope.alpha,
        beta: rope.beta,
        ramp_low: plan.rope.ramp_low,
        ramp_high: plan.rope.ramp_high,
    }
}
