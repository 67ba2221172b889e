//! Frames to visual tokens: a few frames at a time, decoded, resized, encoded, projected, pooled, then dropped.
//!
//! A thread decodes and resizes ahead, by at most one batch: what waits is small (resized frames) and bounded. Frames that
//! are near duplicates ([`Dedupe`](crate::Dedupe)) pass without pixels and take the features of the frame encoded before them.
//! [`EncodedFrames`](crate::EncodedFrames) instead keeps the tokens of a whole video.

use crate::dedupe::Deduper;
use crate::fault::{ErrorKind, Fault};
use crate::frames::{Damaged, FrameReport, FrameTokens};
use crate::plan::RunPlan;
use crate::settings::{RunSettings, Setting};
use crate::text::text;
use crate::timings::Timings;
use crate::{EngineError, Result};
use longsight_method::PoolPlan;
use longsight_models::processor::{FrameFit, Preprocessor, RgbFrame};
use longsight_models::{Lmm, ModelError, Tensor};
use longsight_video::{Frame, FrameReader, open_frames};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// Frames taken from the queue to fill one batch, at most, as a multiple of the batch: a static scene must neither hold up
/// progress nor pile up.
const FRAMES_PER_BATCH_FRAME: usize = 8;

/// A frame in the tower's size.
struct ResizedFrame {
    /// None where the frame takes the features of the last one that has pixels.
    rgb: Option<Arc<Vec<u8>>>,
    damaged: Option<Damaged>,
    resize_secs: f64,
}

/// A frame's features, not pooled yet.
pub(crate) struct FrameFeatures {
    /// Place among the sampled frames.
    pub(crate) ordinal: usize,
    /// `[patches, hidden]`.
    pub(crate) features: Tensor,
    /// Whether they are those of a frame before it.
    pub(crate) reused: bool,
}

/// Decodes and encodes a few frames at a time, in order.
pub struct FrameEncoder<'a> {
    model: &'a Lmm,
    pool: PoolPlan,
    frames: Receiver<Result<ResizedFrame>>,
    batch_frames: usize,
    /// Frames of one batch that were not handed out yet.
    ready: VecDeque<FrameFeatures>,
    /// Features of the last frame that was encoded, where later frames may take them.
    last: Option<Tensor>,
    report: FrameReport,
}

impl<'a> FrameEncoder<'a> {
    /// Starts the decoder.
    pub fn open(model: &'a Lmm, plan: &RunPlan, settings: &RunSettings) -> Result<Self> {
        let reader = open_frames(&plan.video, &plan.sample, &settings.video.decode)?;
        let batch_frames = settings.engine.encode_batch_frames;
        let (sender, frames) = sync_channel(batch_frames.min(plan.sample.frames.len()));
        let pixels = &model.config().vision()?.pixels;
        let fit = if settings.prompt.interleaved.is_some() { pixels.still_fit } else { pixels.video_fit };
        let mut resizer = Resizer {
            preprocessor: model.preprocessor()?.clone(),
            fit,
            deduper: Deduper::new(settings.dedupe),
        };
        std::thread::Builder::new()
            .name("resize".into())
            .spawn(move || resizer.resize_all(reader, &sender))
            .map_err(|e| cannot_start_thread(&e))?;
        Ok(Self {
            model,
            pool: plan.pool.clone(),
            frames,
            batch_frames,
            ready: VecDeque::new(),
            last: None,
            report: FrameReport::default(),
        })
    }

    /// Features of the next frames, a batch of them at most. Empty after the last frame.
    pub(crate) fn next_features(&mut self, timings: &mut Timings) -> Result<Vec<FrameFeatures>> {
        if self.ready.is_empty() {
            self.fill(timings)?;
        }
        Ok(self.ready.drain(..self.batch_frames.min(self.ready.len())).collect())
    }

    /// Encodes the next frames: a whole batch of those that are not re-used, where that many come soon.
    fn fill(&mut self, timings: &mut Timings) -> Result<()> {
        let first = self.report.reused.len();
        let most = first.saturating_add(self.batch_frames.saturating_mul(FRAMES_PER_BATCH_FRAME));
        let end = self.pool.units.len().min(most);
        let mut pixels = Vec::new();
        while self.report.reused.len() < end && pixels.len() < self.batch_frames {
            let frame = self.take(timings)?;
            self.report.reused.push(frame.is_none());
            pixels.extend(frame);
        }
        let mut encoded = self.encode(pixels, timings)?.into_iter();
        for (ordinal, reused) in self.report.reused.iter().enumerate().skip(first) {
            if !reused {
                self.last = encoded.next();
            }
            let features =
                self.last.clone().ok_or_else(|| EngineError::internal("a frame has no features"))?;
            self.ready.push_back(FrameFeatures { ordinal, features, reused: *reused });
        }
        // A copy: a view would keep the whole batch alive while the next one is encoded.
        self.last = self.last.take().map(|features| features.force_contiguous()).transpose()?;
        Ok(())
    }

    /// Features `[patches, hidden]` of each of the frames; a frame's do not depend on those beside it.
    fn encode(&self, frames: Vec<Arc<Vec<u8>>>, timings: &mut Timings) -> Result<Vec<Tensor>> {
        if frames.is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let rgb = frames.iter().map(|rgb| rgb.as_slice());
        let pixels = self.model.preprocessor()?.normalise(rgb, self.model.device())?;
        let count = frames.len();
        drop(frames);
        timings.preprocess_secs += started.elapsed().as_secs_f64();
        let started = Instant::now();
        let features = self.model.features(&pixels)?;
        timings.vision_secs += started.elapsed().as_secs_f64();
        Ok((0..count).map(|i| features.get(i)).collect::<std::result::Result<_, _>>()?)
    }

    /// The next frame, resized; None where it takes the features of the last one.
    fn take(&mut self, timings: &mut Timings) -> Result<Option<Arc<Vec<u8>>>> {
        let started = Instant::now();
        let frame = self
            .frames
            .recv()
            .map_err(|_| EngineError::internal("the decoder ended before the last frame of the plan"))??;
        timings.video_decode_secs += started.elapsed().as_secs_f64();
        timings.preprocess_secs += frame.resize_secs;
        self.report.damaged.extend(frame.damaged);
        Ok(frame.rgb)
    }
}

fn cannot_start_thread(error: &std::io::Error) -> EngineError {
    let problem = format!("cannot start a thread ({error})");
    Fault::new(ErrorKind::Machine, problem.into()).with_remedy(text!["lower ", Setting::Threads]).into()
}

impl FrameTokens for FrameEncoder<'_> {
    fn next_batch(&mut self, timings: &mut Timings) -> Result<Vec<Tensor>> {
        let frames = self.next_features(timings)?;
        let started = Instant::now();
        let pool = |frame: FrameFeatures| self.model.pool(&frame.features, &self.pool, frame.ordinal);
        let pooled = frames.into_iter().map(pool).collect::<std::result::Result<_, ModelError>>()?;
        timings.vision_secs += started.elapsed().as_secs_f64();
        Ok(pooled)
    }

    fn report(&self) -> FrameReport {
        self.report.clone()
    }
}

/// Frames on their way to the tower.
struct Resizer {
    preprocessor: Preprocessor,
    fit: FrameFit,
    deduper: Deduper,
}

impl Resizer {
    /// Resizes every frame of `reader` until the encoder is gone or a frame fails.
    fn resize_all(&mut self, reader: FrameReader, sender: &SyncSender<Result<ResizedFrame>>) {
        for frame in reader {
            let resized = frame.map_err(EngineError::from).and_then(|frame| self.resize(&frame));
            if sender.send(resized).is_err() {
                return;
            }
        }
    }

    fn resize(&mut self, frame: &Frame) -> Result<ResizedFrame> {
        let started = Instant::now();
        let (width, height) = (frame.width as usize, frame.height as usize);
        let rgb = self.preprocessor.fit(RgbFrame { width, height, rgb: &frame.rgb }, self.fit)?;
        let rgb = self.deduper.keep(rgb);
        let own = frame.is_after_damage.then_some(frame.index);
        let shown = frame.replaced_from.or(own);
        let damaged = shown.map(|shown_index| Damaged { ordinal: frame.ordinal, shown_index });
        Ok(ResizedFrame { rgb, damaged, resize_secs: started.elapsed().as_secs_f64() })
    }
}
