//! Frames to visual tokens: a few frames at a time, decoded, resized, encoded, projected, pooled, then dropped.
//!
//! A thread decodes and resizes ahead, by at most one batch: what waits is small (resized frames) and bounded.
//! [`EncodedFrames`] instead keeps the tokens of a whole video, for runs that differ only in pooling or positions.

use crate::observer::{Observer, Stage};
use crate::plan::RunPlan;
use crate::receipt::Timings;
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_method::{PoolPlan, PoolSpec};
use longsight_models::processor::{FrameFit, Preprocessor, RgbFrame};
use longsight_models::{Llava, Tensor};
use longsight_video::{FrameReader, open_frames};
use std::collections::BTreeMap;
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

/// A source of a run's visual tokens.
pub(crate) trait FrameTokens {
    /// Visual tokens `[tokens, hidden]` of each of the next frames, newlines inside their spans; empty after the last.
    fn next_batch(&mut self, timings: &mut Timings) -> Result<Vec<Tensor>>;
    /// Frames that could not be decoded, so far.
    fn replaced(&self) -> &[Replaced];
}

/// Decodes and encodes a few frames at a time, in order.
pub struct FrameEncoder<'a> {
    model: &'a Llava,
    pool: PoolPlan,
    frames: Receiver<Result<ResizedFrame>>,
    batch_frames: usize,
    next: usize,
    replaced: Vec<Replaced>,
}

impl<'a> FrameEncoder<'a> {
    /// Starts the decoder.
    pub fn open(model: &'a Llava, plan: &RunPlan, settings: &RunSettings) -> Result<Self> {
        let reader = open_frames(&plan.video, &plan.sample, &settings.video.decode)?;
        let batch_frames = settings.engine.encode_batch_frames;
        let (sender, frames) = sync_channel(batch_frames.min(plan.sample.frames.len()));
        let preprocessor = model.preprocessor().clone();
        let fit = if settings.prompt.interleaved.is_some() { FrameFit::Pad } else { FrameFit::Stretch };
        std::thread::Builder::new()
            .name("resize".into())
            .spawn(move || resize_all(reader, &preprocessor, fit, &sender))
            .map_err(|e| EngineError::Setting(format!("cannot start a thread ({e}); lower --threads")))?;
        Ok(Self { model, pool: plan.pool.clone(), frames, batch_frames, next: 0, replaced: Vec::new() })
    }

    /// What `pool` makes of the features `[patches, hidden]` of each of the next frames, given the run's own plan and the
    /// frame's ordinal. Empty after the last frame.
    fn next_pooled<T>(
        &mut self,
        timings: &mut Timings,
        pool: impl Fn(&PoolPlan, usize, &Tensor) -> Result<T>,
    ) -> Result<Vec<T>> {
        let first = self.next;
        let count = self.batch_frames.min(self.pool.frames.len() - first);
        if count == 0 {
            return Ok(Vec::new());
        }
        let resized = (0..count).map(|_| self.take(timings)).collect::<Result<Vec<_>>>()?;
        let started = Instant::now();
        let pixels =
            self.model.preprocessor().normalise(resized.iter().map(Vec::as_slice), self.model.device())?;
        drop(resized);
        timings.preprocess_secs += started.elapsed().as_secs_f64();
        let started = Instant::now();
        let features = self.model.features(&pixels)?;
        let pooled = (0..count)
            .map(|i| {
                pool(&self.pool, first + i, &features.get(i).map_err(longsight_models::ModelError::from)?)
            })
            .collect::<Result<_>>()?;
        timings.vision_secs += started.elapsed().as_secs_f64();
        self.next += count;
        Ok(pooled)
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

impl FrameTokens for FrameEncoder<'_> {
    fn next_batch(&mut self, timings: &mut Timings) -> Result<Vec<Tensor>> {
        let model = self.model;
        self.next_pooled(timings, |plan, ordinal, features| Ok(model.pool(features, plan, ordinal)?))
    }

    fn replaced(&self) -> &[Replaced] {
        &self.replaced
    }
}

/// The visual tokens of a video's frames under several strides: runs that differ only in pooling, context method or
/// question share the tower's work, and are bit-equal to runs of their own.
#[derive(Clone)]
pub struct EncodedFrames {
    /// By frame, then by stride; newlines inside their spans.
    frames: Vec<BTreeMap<usize, Tensor>>,
    replaced: Vec<Replaced>,
    timings: Timings,
}

impl EncodedFrames {
    /// Decodes and encodes the frames of `plan`, and pools each with every one of `strides`.
    pub fn encode(
        model: &Llava,
        plan: &RunPlan,
        strides: &[usize],
        settings: &RunSettings,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut encoder = FrameEncoder::open(model, plan, settings)?;
        let mut timings = Timings { probe_secs: plan.probe_secs, ..Timings::default() };
        let total = plan.sample.frames.len();
        let variants = strides
            .iter()
            .map(|stride| {
                let spec = PoolSpec::Uniform { stride: *stride };
                let uniform =
                    PoolPlan::new(plan.pool.grid_side, total, spec, plan.pool.mode, plan.pool.newline);
                Ok((*stride, uniform.map_err(longsight_models::ModelError::from)?))
            })
            .collect::<Result<BTreeMap<_, _>>>()?;
        let mut frames = Vec::with_capacity(total);
        loop {
            let batch = encoder.next_pooled(&mut timings, |_, ordinal, features| {
                let pooled = variants.iter().map(|(s, plan)| Ok((*s, model.pool(features, plan, ordinal)?)));
                pooled.collect::<Result<BTreeMap<_, _>>>()
            })?;
            if batch.is_empty() {
                return Ok(Self { frames, replaced: encoder.replaced, timings });
            }
            frames.extend(batch);
            observer.progress(Stage::Frames, frames.len(), total);
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
    }

    /// The first `frames` of them.
    pub fn first(&self, frames: usize) -> Self {
        let mut some = self.clone();
        some.frames.truncate(frames);
        some.replaced.retain(|replaced| replaced.ordinal < frames);
        some
    }

    /// The same frames with frame `ordinal` of `other` inserted before frame `at`.
    pub fn with_inserted(&self, at: usize, other: &Self, ordinal: usize) -> Self {
        let mut all = self.clone();
        let at = at.min(all.frames.len());
        all.frames.splice(at..at, other.frames.get(ordinal).cloned());
        for replaced in all.replaced.iter_mut().filter(|replaced| replaced.ordinal >= at) {
            replaced.ordinal += 1;
        }
        all
    }
}

/// Yields frames that are already encoded, pooled as a plan says.
pub(crate) struct HeldFrames<'a> {
    encoded: &'a EncodedFrames,
    strides: Vec<usize>,
    next: usize,
}

impl<'a> HeldFrames<'a> {
    pub(crate) fn new(encoded: &'a EncodedFrames, plan: &RunPlan) -> Result<Self> {
        let strides: Vec<usize> = plan.pool.frames.iter().map(|frame| frame.stride).collect();
        let held = encoded.frames.iter().zip(&strides).all(|(frame, stride)| frame.contains_key(stride));
        if !held || encoded.frames.len() != strides.len() {
            return Err(EngineError::Setting(format!(
                "the {} frames encoded before do not serve a plan of {} frames with its strides",
                encoded.frames.len(),
                strides.len()
            )));
        }
        Ok(Self { encoded, strides, next: 0 })
    }
}

impl FrameTokens for HeldFrames<'_> {
    fn next_batch(&mut self, timings: &mut Timings) -> Result<Vec<Tensor>> {
        if self.next == 0 {
            *timings = self.encoded.timings.clone();
        }
        let tokens = self.strides.get(self.next).and_then(|s| self.encoded.frames[self.next].get(s)).cloned();
        self.next += 1;
        Ok(tokens.into_iter().collect())
    }

    fn replaced(&self) -> &[Replaced] {
        &self.encoded.replaced
    }
}

/// Resizes every frame of `reader` until the encoder is gone or a frame fails.
fn resize_all(
    reader: FrameReader,
    preprocessor: &Preprocessor,
    fit: FrameFit,
    sender: &SyncSender<Result<ResizedFrame>>,
) {
    for frame in reader {
        let resized = frame.map_err(EngineError::from).and_then(|frame| {
            let started = Instant::now();
            let (width, height) = (frame.width as usize, frame.height as usize);
            let rgb = preprocessor.fit(RgbFrame { width, height, rgb: &frame.rgb }, fit)?;
            let replaced = frame.replaced_from.map(|by_index| Replaced { ordinal: frame.ordinal, by_index });
            Ok(ResizedFrame { rgb, replaced, resize_secs: started.elapsed().as_secs_f64() })
        });
        if sender.send(resized).is_err() {
            return;
        }
    }
}
