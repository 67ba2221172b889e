//! How long a run will take, about: its operations over the speed of a short probe on this machine.

use crate::plan::RunPlan;
use longsight_models::ModelInfo;
use longsight_video::DecodeStrategy;
use serde::Serialize;
use std::time::Instant;

/// Seconds by stage; rough, meant to tell minutes from hours. No frame is taken to re-use another's features: which do is
/// known only from their pixels.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TimeEstimate {
    /// Decoding the frames.
    pub video_decode_secs: f64,
    /// The vision tower.
    pub vision_secs: f64,
    /// Prefill.
    pub prefill_secs: f64,
    /// All of these: the time to the first token, with the weights already loaded.
    pub first_token_secs: f64,
    /// The speed that the probe found, in floating-point operations a second.
    pub flops_per_sec: f64,
}

// Rough guesses, good for telling minutes from hours: none was fitted to a machine.

/// Part of the probe's speed that a whole layer reaches.
const LAYER_EFFICIENCY: f64 = 0.8;
/// Part of the probe's speed that attention, with its smaller products and its softmax, reaches.
const ATTENTION_EFFICIENCY: f64 = 0.45;
/// Decoded pixels a second of one thread, about, for H.264.
const DECODED_PIXELS_PER_SEC: f64 = 1.2e8;
/// Starting ffmpeg and seeking once.
const RUN_START_SECS: f64 = 0.08;

impl TimeEstimate {
    /// Probes the machine for a moment and estimates the run.
    pub fn new(model: &ModelInfo, plan: &RunPlan) -> Self {
        let speed = probe();
        let flops = model.shape().flops(plan.pool.units.len(), plan.layout.total_tokens());
        let pixels = f64::from(plan.video.width) * f64::from(plan.video.height);
        let runs = if plan.sample.strategy == DecodeStrategy::Images { 0 } else { plan.sample.runs.len() };
        let video_decode_secs = plan.sample.frames_to_decode as f64 * pixels
            / (DECODED_PIXELS_PER_SEC * longsight_kernels::threads() as f64)
            + runs as f64 * RUN_START_SECS;
        let vision_secs = flops.tower / (speed * LAYER_EFFICIENCY);
        let prefill_secs = flops.prefill_matmul / (speed * LAYER_EFFICIENCY)
            + flops.prefill_attention / (speed * ATTENTION_EFFICIENCY);
        let first_token_secs = video_decode_secs + vision_secs + prefill_secs;
        Self { video_decode_secs, vision_secs, prefill_secs, first_token_secs, flops_per_sec: speed }
    }
}

/// Floating-point operations a second of a product of the tower's kind.
fn probe() -> f64 {
    const SIDE: usize = 768;
    let weights = vec![0.5f32; SIDE * SIDE];
    let x = vec![0.25f32; SIDE * SIDE];
    let layer = longsight_kernels::Linear {
        weight: longsight_kernels::Values::F32(&weights),
        bias: None,
        inputs: SIDE,
        outputs: SIDE,
    };
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = Instant::now();
        std::hint::black_box(longsight_kernels::linear(&layer, &x));
        best = best.min(started.elapsed().as_secs_f64());
    }
    2.0 * (SIDE * SIDE * SIDE) as f64 / best.max(1e-9)
}
