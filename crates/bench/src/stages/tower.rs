//! Frames to projected features, in the engine's batches.

use super::{Rate, Stage, StagesArgs};
use crate::inputs::frame_rgb;
use anyhow::Result;
use longsight_engine::EngineSettings;
use longsight_models::{Lmm, Tensor};
use std::time::Instant;

/// Frames a second through tower and projector. Normalising the pixels is not counted; peers are given pixels too.
pub(super) fn rate(model: &Lmm, settings: &StagesArgs) -> Result<Rate> {
    let frames = usize::from(settings.frames);
    let batches = pixels(model, frames)?;
    if let Some(batch) = batches.first() {
        model.features(&batch.narrow(0, 0, 1)?)?; // threads and memory are there before the clock starts
    }
    let once = || -> Result<f64> {
        let started = Instant::now();
        for batch in &batches {
            model.features(batch)?;
        }
        Ok(frames as f64 / started.elapsed().as_secs_f64())
    };
    let per_sec = (0..settings.repeats).map(|_| once()).collect::<Result<_>>()?;
    Ok(Rate { stage: Stage::Tower, size: frames, per_sec, next_token: None })
}

fn pixels(model: &Lmm, frames: usize) -> Result<Vec<Tensor>> {
    let preprocessor = model.preprocessor()?;
    let rgb: Vec<Vec<u8>> = (0..frames).map(|frame| frame_rgb(frame, preprocessor.side())).collect();
    rgb.chunks(EngineSettings::default().encode_batch_frames)
        .map(|batch| Ok(preprocessor.normalise(batch.iter().map(Vec::as_slice), model.device())?))
        .collect()
}
