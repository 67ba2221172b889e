//! Everything that an entry's bytes depend on. What is left out (threads, batches, the place of files) changes no bit.

use super::VideoIdentity;
use crate::plan::RunPlan;
use crate::settings::RunSettings;
use longsight_models::Lmm;
use longsight_models::processor::FrameFit;
use longsight_store::Key;
use serde_json::{Value, json};

/// Raised whenever the same inputs give other bytes, or the same bytes are read in another way. 3: pixels as PyAV's, the
/// horizontal pass of resizing first for tall frames too, and pictures turned upright.
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
    // What a run is set to enters a key here or in `prefix`, or changes no bit of it: the schema says which. A setting that is
    // new does not compile before it is looked at.
    let RunSettings {
        video, // frames and their times, by index and by the text between them
        context: _,
        pool: _, // by the strides
        dedupe,
        template: _,
        prompt,
        subtitles: _,
        generation: _,
        evidence: _,
        engine: _,
        kv_dtype: _,
        memory_limit_bytes: _,
    } = settings;
    let indices: Vec<usize> = plan.sample.frames.iter().map(|frame| frame.index).collect();
    let strides: Vec<usize> = plan.pool.units.iter().map(|frame| frame.stride).collect();
    let pixels = model.config().vision.as_ref().map(|vision| &vision.pixels);
    let fit =
        pixels.map(|pixels| if prompt.interleaved.is_some() { pixels.still_fit } else { pixels.video_fit });
    let mut description = json!({
        "program": program(model),
        "video": identity.video,
        "frame_indices": indices,
        "colour": video.decode.colour,
        "scaler_flags": video.decode.colour.scaler_flags(),
        "padded": fit == Some(FrameFit::Pad),
        "dedupe": dedupe.to_string(),
        "model": identity.model,
        "vision_dtype": model.info().dtypes.vision.as_str(),
        "strides": strides,
        "pool_mode": plan.pool.mode.to_string(),
        "newline": plan.pool.newline,
    });
    if let Some(FrameFit::LongestEdge(edge)) = fit {
        description["longest_edge"] = edge.into(); // absent in other fits, whose entries are older than this one
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Frames, Probed, Request, Setting};
    use longsight_testkit::golden::checkpoint_dir;
    use longsight_video::VideoSource;

    #[test]
    fn the_keys_have_every_field_that_the_schema_says() {
        let folder = tempfile::tempdir().unwrap();
        image::RgbImage::new(32, 32).save(folder.path().join("0.png")).unwrap();
        let model = Lmm::load(&checkpoint_dir("d32-gqa-tied"), &Default::default()).unwrap();
        let settings = RunSettings::default();
        let video = Probed::read(&VideoSource::Images(folder.path().into()), &settings).unwrap();
        let request = Request {
            video,
            settings: settings.clone(),
            frames: Frames::Usual,
            earlier: &[],
            questions: &[],
        };
        let plan = request.plan(model.info()).unwrap().plan;
        let identity = VideoIdentity { video: "v".into(), model: "m".into() };
        let embeddings = embeddings(&identity, &model, &plan, &settings);
        let prefix = prefix(&embeddings, &model, &plan, &settings);
        let keys = [neutral(&prefix, &[]), embeddings, prefix];
        for name in Setting::ALL.iter().filter_map(|setting| setting.names().index.name()) {
            let (kind, field) = name.split_once('.').unwrap();
            let key = keys.iter().find(|key| key.kind() == kind).unwrap();
            assert!(key.description().get(field).is_some(), "{name}: {}", key.description());
        }
    }
}
