//! Frames to visual tokens: a few frames at a time, decoded, resized, encoded, projected, pooled, then dropped.
//!
//! A thread decodes and resizes ahead, by at most one batch: what waits is small (resized frames) and bounded.

use crate::plan::RunPlan;
use crate::receipt::Timings;
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_models::processor::{Preprocessor, RgbFrame};
use longsight_models::{Llava, Tensor};
use longsight_video::{FrameReader, open_frames};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// A frame that had to be replaced by a neighbour.
#[derive(Debug, Clone, Copy)]
pub struct Replaced {
    /// Place among the sampled frames.
    pub ordinal: usize,
    /// Index of the good frame that stands in.
    pub by_index: usize,
}

/// A frame in the tower's size.
struct ResizedFrame {
    rgb: Vec<u8>,
    replaced: Option<Replaced>,
    resize_secs: f64,
}

/// Yields batches of visual tokens in order.
pub struct FrameEncoder<'a> {
    model: &'a Llava,
    plan: &'a RunPlan,
    frames: Receiver<Result<ResizedFrame>>,
    batch_frames: usize,
    next: usize,
    /// Frames that could not be decoded, so far.
    pub replaced: Vec<Replaced>,
}

impl<'a> FrameEncoder<'a> {
    /// Starts the decoder.
    pub fn open(model: &'a Llava, plan: &'a RunPlan, settings: &RunSettings) -> Result<Self> {
        let reader = open_frames(&plan.video, &plan.sample, &settings.video.decode)?;
        let batch_frames = settings.engine.encode_batch_frames;
        let (sender, frames) = sync_channel(batch_frames.min(plan.sample.frames.len()));
        let preprocessor = model.preprocessor().clone();
        std::thread::Builder::new()
            .name("resize".into())
            .spawn(move || resize_all(reader, &preprocessor, &sender))
            .map_err(|e| EngineError::Setting(format!("cannot start a thread ({e}); lower --threads")))?;
        Ok(Self { model, plan, frames, batch_frames, next: 0, replaced: Vec::new() })
    }

    /// Frames encoded so far.
    pub fn done(&self) -> usize {
        self.next
    }

    /// Visual tokens `[tokens, hidden]` of the next frames; None after the last.
    pub fn next_batch(&mut self, timings: &mut Timings) -> Result<Option<Tensor>> {
        let first = self.next;
        let count = self.batch_frames.min(self.plan.sample.frames.len() - first);
        if count == 0 {
            return Ok(None);
        }
        let resized = (0..count).map(|_| self.take(timings)).collect::<Result<Vec<_>>>()?;
        let started = Instant::now();
        let pixels =
            self.model.preprocessor().normalise(resized.iter().map(Vec::as_slice), self.model.device())?;
        drop(resized);
        timings.preprocess_secs += started.elapsed().as_secs_f64();
        let started = Instant::now();
        let tokens = self.model.visual_tokens(&pixels, &self.plan.pool, first)?;
        timings.vision_secs += started.elapsed().as_secs_f64();
        self.next += count;
        Ok(Some(tokens))
    }

    /// The next frame, resized.
    fn take(&mut self, timings: &mut Timings) -> Result<Vec<u8>> {
        let started = Instant::now();
        let frame = self.frames.recv().map_err(|_| {
            EngineError::Setting(
                "the decoder ended before the last frame of the plan; please report this".into(),
            )
        })??;
        timings.video_decode_secs += started.elapsed().as_secs_f64();
        timings.preprocess_secs += frame.resize_secs;
        self.replaced.extend(frame.replaced);
        Ok(frame.rgb)
    }
}

/// Resizes every frame of `reader` until the encoder is gone or a frame fails.
fn resize_all(reader: FrameReader, preprocessor: &Preprocessor, sender: &SyncSender<Result<ResizedFrame>>) {
    for frame in reader {
        let resized = frame.map_err(EngineError::from).and_then(|frame| {
            let started = Instant::now();
            let (width, height) = (frame.width as usize, frame.height as usize);
            let rgb = preprocessor.resize(RgbFrame { width, height, rgb: &frame.rgb })?;
            let replaced = frame.replaced_from.map(|by_index| Replaced { ordinal: frame.ordinal, by_index });
            Ok(ResizedFrame { rgb, replaced, resize_secs: started.elapsed().as_secs_f64() })
        });
        if sender.send(resized).is_err() {
            return;
        }
    }
}
