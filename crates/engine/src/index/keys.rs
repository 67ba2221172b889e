//! Everything that an entry's bytes depend on. What is left out (threads, batches, the place of files) changes no bit.

use super::VideoIdentity;
use crate::plan::RunPlan;
use crate::settings::RunSettings;
use longsight_models::Lmm;
use longsight_models::processor::FrameFit;
use longsight_store::Key;
use serde_json::{Value, json};

/// Raised whenever the same inputs give other bytes, or the same bytes are read in another way.
const FORMAT: u32 = 3;

/// The program, and where it computes: floats may differ in their last bits between versions and instruction sets.
fn program(model: &Lmm) -> Value {
    let device = model.device();
    let device = match (device.is_cpu(), device.is_cuda()) {
        (true, _) => longsight_kernels::instruction_set(),
        (_, true) => "cuda",
        _ => "metal",
    };
    json!({ "format": FORMAT, "version": env!("CARGO_PKG_VERSION"), "device": device })
}

/// Pooled embeddings: shared by all questions, context methods and language model dtypes.
pub(super) fn embeddings(
    identity: &VideoIdentity,
    model: &Lmm,
    plan: &RunPlan,
    settings: &RunSettings,
) -> Key {
    let indices: Vec<usize> = plan.sample.frames.iter().map(|frame| frame.index).collect();
    let strides: Vec<usize> = plan.pool.units.iter().map(|frame| frame.stride).collect();
    let pixels = model.config().vision.as_ref().map(|vision| &vision.pixels);
    let fit = pixels.map(|p| if settings.prompt.interleaved.is_some() { p.still_fit } else { p.video_fit });
    let description = json!({
        "program": program(model),
        "video": identity.video,
        "frame_indices": indices,
        "scaler_flags": longsight_video::SCALER_FLAGS,
        "fit": fit.map(FrameFit::name),
        "dedupe": settings.dedupe.to_string(),
        "model": identity.model,
        "vision_dtype": model.info().dtypes.vision.as_str(),
        "strides": strides,
        "pool_mode": plan.pool.mode.to_string(),
        "newline": plan.pool.newline,
    });
    Key::new("embeddings", description)
}

/// The neutral prompt's attention over that prefix.
pub(super) fn neutral(prefix: &Key, heads: &[(usize, usize)]) -> Key {
    let description = json!({
        "prefix": prefix.name(),
        "heads": heads,
        "prompt": crate::evidence::NEUTRAL_PROMPT,
    });
    Key::new("neutral", description)
}

/// The visual prefix of the KV cache: its embeddings, the text before and between them, and every position's angle.
pub(super) fn prefix(embeddings: &Key, model: &Lmm, plan: &RunPlan, settings: &RunSettings) -> Key {
    let rope = &plan.rope;
    let description = json!({
        "program": program(model),
        "embeddings": embeddings.name(),
        "before_ids": plan.prompt.before_ids,
        "between_ids": plan.prompt.between_ids,
        "context": rope.method.to_string(),
        "scale": rope.scale,
        "inv_freq": rope.inv_freq,
        "attention_factor": rope.attention_factor,
        "dtype": model.info().dtypes.text.as_str(),
        "kv_dtype": plan.kv_dtype.as_str(),
        "chunk_tokens": settings.engine.chunk_tokens,
    });
    Key::new("kv", description)
}
