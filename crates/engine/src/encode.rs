//! Frames to visual tokens: a few frames at a time, decoded, resized, encoded, projected, pooled, then dropped.

use crate::plan::RunPlan;
use crate::receipt::Timings;
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_models::processor::RgbFrame;
use longsight_models::{Llava, Tensor};
use longsight_video::{FrameReader, open_frames};
use std::time::Instant;

/// A frame that had to be replaced by a neighbour.
#[derive(Debug, Clone, Copy)]
pub struct Replaced {
    /// Place among the sampled frames.
    pub ordinal: usize,
    /// Index of the good frame that stands in.
    pub by_index: usize,
}

/// Yields batches of visual tokens in order.
pub struct FrameEncoder<'a> {
    model: &'a Llava,
    plan: &'a RunPlan,
    reader: FrameReader,
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
        Ok(Self { model, plan, reader, batch_frames, next: 0, replaced: Vec::new() })
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
        let mut resized = Vec::with_capacity(count);
        for _ in 0..count {
            resized.push(self.read(timings)?);
        }
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
    fn read(&mut self, timings: &mut Timings) -> Result<Vec<u8>> {
        let started = Instant::now();
        let frame = self.reader.next().transpose()?.ok_or_else(|| {
            EngineError::Setting(
                "the decoder ended before the last frame of the plan; please report this".into(),
            )
        })?;
        timings.video_decode_secs += started.elapsed().as_secs_f64();
        if let Some(by_index) = frame.replaced_from {
            self.replaced.push(Replaced { ordinal: frame.ordinal, by_index });
        }
        let started = Instant::now();
        let (width, height) = (frame.width as usize, frame.height as usize);
        let resized = self.model.preprocessor().resize(RgbFrame { width, height, rgb: &frame.rgb })?;
        timings.preprocess_secs += started.elapsed().as_secs_f64();
        Ok(resized)
    }
}
