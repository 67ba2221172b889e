//! Bytes of a run at its peak, and the largest run that fits.

use crate::fitting::Fitting;
use crate::settings::{RunSettings, Setting};
use longsight_kernels::MOST_SPARE_BYTES;
use longsight_method::{PoolSpec, largest_fitting};
use longsight_models::ModelInfo;
use longsight_video::{FrameBudget, VideoInfo, VideoSource, sample};
use serde::Serialize;

/// Where the bytes of a run go, at its peak.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MemoryEstimate {
    /// Weights, in their dtype.
    pub weights_bytes: u64,
    /// Keys and values of every token that may be held.
    pub kv_cache_bytes: u64,
    /// Activations of the larger of the two phases: a batch of frames in the tower, or a chunk in the decoder.
    pub work_bytes: u64,
    /// ffmpeg and the decoded frames on their way.
    pub video_decoder_bytes: u64,
    /// The program, its tokenizer, threads and allocator.
    pub program_bytes: u64,
}

impl MemoryEstimate {
    /// All of them.
    pub fn total_bytes(&self) -> u64 {
        self.weights_bytes
            + self.kv_cache_bytes
            + self.work_bytes
            + self.video_decoder_bytes
            + self.program_bytes
    }
}

// The constants below are fitted together to measured peaks (docs/benchmarks.md); none was measured by itself.

/// The program itself, its threads with their tiles, and what the allocator holds back.
const PROGRAM_BYTES: u64 = 40 << 20;
/// A token of the tokenizer, with its merges.
const TOKENIZER_TOKEN_BYTES: u64 = 500;
/// ffmpeg without frames.
const DECODER_BYTES: u64 = 45 << 20;
/// Frames that ffmpeg and the reader hold at once, as RGB, in the codec that takes most of H.264, HEVC, VP9, MPEG-4 and AV1 (which is
/// AV1; the others take 9 to 14): `--memory` must hold for any of them.
const DECODER_FRAMES: u64 = 16;

/// Estimates the peak of a run on `video` whose cache holds `kv_tokens`.
pub(crate) fn estimate(
    model: &ModelInfo,
    settings: &RunSettings,
    video: &VideoInfo,
    kv_tokens: usize,
) -> MemoryEstimate {
    MemoryEstimate {
        weights_bytes: model.weights_bytes,
        kv_cache_bytes: settings.kv_dtype(model).bytes(model.config.decoder.kv_shape(), kv_tokens),
        work_bytes: work_bytes(model, settings),
        video_decoder_bytes: decoder_bytes(video),
        program_bytes: PROGRAM_BYTES + TOKENIZER_TOKEN_BYTES * model.tokenizer.vocabulary() as u64,
    }
}

fn decoder_bytes(video: &VideoInfo) -> u64 {
    let frame_bytes = u64::from(video.width) * u64::from(video.height) * 3;
    match video.source {
        VideoSource::Images(_) => 2 * frame_bytes, // one being read, one being resized
        _ => DECODER_BYTES + DECODER_FRAMES * frame_bytes,
    }
}

/// Activations in f32: what is alive at the widest point of a layer.
fn work_bytes(model: &ModelInfo, settings: &RunSettings) -> u64 {
    let shape = model.shape();
    let engine = &settings.engine;
    let floats = |n: usize| n as u64 * 4;
    let tower = &shape.tower;
    let patches = engine.encode_batch_frames * tower.patches;
    let rows = engine.encode_batch_frames * tower.merged_tokens;
    let tower_frames = model.config.vision.as_ref().map_or(0, |vision| vision.tower.frames_at_once());
    let at_once = engine.encode_batch_frames.min(tower_frames) * tower.patches;
    // In the tower's MLP: the residual, its norm, the hidden row, the same packed in tiles (half of it in integers), and the
    // product on its way out; and the batch's features. In the merger: these, in another order too where patches are joined,
    // and its own.
    let layer = floats(at_once * (3 * tower.width + 2 * tower.mlp) + patches * tower.width);
    let features = if rows == patches { patches } else { 2 * patches };
    let encode = layer.max(floats(features * tower.width + rows * 3 * shape.hidden));
    let pixels = floats(engine.encode_batch_frames * tower.pixel_values);
    // In the gated MLP: residual, norm and both hidden rows; beside them a batch's features, where frames re-use them;
    // and the frames' tokens that wait for a full chunk.
    let decode =
        floats(engine.chunk_tokens * (3 * shape.hidden + 2 * shape.mlp)) + floats(rows * shape.hidden);
    let waiting = floats((engine.chunk_tokens + rows) * shape.hidden);
    // The last encoded frame's features, for frames that re-use them.
    let last = floats(tower.merged_tokens * shape.hidden);
    // Freed blocks that wait for the next of their size.
    let spare = encode.max(decode).min(MOST_SPARE_BYTES as u64);
    encode.max(decode) + spare + pixels + waiting + last + floats(shape.vocab)
}

/// The largest number of frames that fits `allowed_bytes`, pooling and dtype kept; beside it a coarser pooling that
/// takes more frames, where there is one. `text_tokens` are the prompt's tokens that are not visual.
pub fn fit_to_memory(
    model: &ModelInfo,
    video: &VideoInfo,
    settings: &RunSettings,
    text_tokens: usize,
    allowed_bytes: u64,
) -> Option<Fitting> {
    let wanted = sample(video, &settings.video.sample).ok()?.frames.len();
    let most = |pool: PoolSpec| {
        largest_fitting(wanted, |frames| {
            peak(model, video, settings, text_tokens, frames, pool)
                .is_some_and(|bytes| bytes <= allowed_bytes)
        })
    };
    let wanted_pool = settings.pool_spec(model);
    let coarser_pool = coarser(wanted_pool, model.config.vision().ok()?.grid().shorter_side());
    let coarser = coarser_pool.and_then(|pool| most(pool).map(|frames| (pool, frames)));
    let (pool, frames) = match most(wanted_pool) {
        Some(frames) => (wanted_pool, frames),
        None => coarser?,
    };
    let limits = match &settings.video.sample.budget {
        FrameBudget::Uniform { .. } | FrameBudget::Indices(_) => Setting::Frames,
        FrameBudget::Fps { .. } => Setting::MaxFrames,
    };
    let mut fitting = Fitting {
        frames,
        pool,
        total_bytes: peak(model, video, settings, text_tokens, frames, pool)?,
        flags: String::new(),
        limits,
        changes_pool: pool != wanted_pool,
        coarser: coarser.filter(|(other, more)| *other != pool && *more > frames),
    };
    fitting.flags = fitting.settings().show(&|setting| setting.flag().to_owned());
    Some(fitting)
}

fn peak(
    model: &ModelInfo,
    video: &VideoInfo,
    settings: &RunSettings,
    text_tokens: usize,
    frames: usize,
    pool: PoolSpec,
) -> Option<u64> {
    let visual = model.config.vision().ok()?.pool_plan(frames, pool, false).ok()?.total_tokens();
    let tokens = text_tokens + visual + settings.generation.max_new_tokens + settings.engine.spare_tokens;
    Some(estimate(model, settings, video, tokens).total_bytes())
}

/// The next coarser pooling: strides doubled as far as the grid allows.
fn coarser(pool: PoolSpec, side: usize) -> Option<PoolSpec> {
    let next = match pool {
        PoolSpec::Uniform { stride } => PoolSpec::Uniform { stride: (stride * 2).min(side) },
        PoolSpec::Progressive { group, fine_stride, coarse_stride } => PoolSpec::Progressive {
            group,
            fine_stride: (fine_stride * 2).min(coarse_stride),
            coarse_stride: (coarse_stride * 2).min(side),
        },
    };
    (next != pool).then_some(next)
}
