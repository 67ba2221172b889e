//! Visual tokens on their way to the disk, and back.
//!
//! They are kept in f32, as the tower gives them: anything smaller would not be bit-equal.

use crate::encode::FrameEncoder;
use crate::frames::{Damaged, FrameReport, FrameTokens};
use crate::plan::RunPlan;
use crate::settings::RunSettings;
use crate::timings::Timings;
use crate::{EngineError, Result};
use longsight_models::{DType, Lmm, Tensor};
use longsight_store::{Builder, Entry};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Instant;

/// How the payload of pooled embeddings is read: frame after frame, `[tokens, hidden]`, little-endian.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct FramesLayout {
    hidden: usize,
    dtype: String,
    /// Tokens of each frame, newlines inside its span included.
    tokens: Vec<usize>,
    #[serde(flatten)]
    frames: StoredReport,
}

/// A [`FrameReport`] as it is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct StoredReport {
    reused: Vec<bool>,
    /// Place of each damaged frame, and index of the one whose pixels are shown.
    damaged: Vec<(usize, usize)>,
}

impl From<&FrameReport> for StoredReport {
    fn from(report: &FrameReport) -> Self {
        let damaged = report.damaged.iter().map(|frame| (frame.ordinal, frame.shown_index)).collect();
        Self { reused: report.reused.clone(), damaged }
    }
}

impl From<StoredReport> for FrameReport {
    fn from(stored: StoredReport) -> Self {
        let damaged = stored.damaged.into_iter();
        let damaged = damaged.map(|(ordinal, shown_index)| Damaged { ordinal, shown_index });
        Self { reused: stored.reused, damaged: damaged.collect() }
    }
}

/// Tokens of each frame, newlines inside its span included.
fn frame_tokens(plan: &RunPlan) -> impl Iterator<Item = usize> {
    plan.pool.units.iter().map(|unit| unit.tokens())
}

/// Encodes frames, and keeps their tokens on the way.
pub(crate) struct RecordedFrames<'a> {
    encoder: FrameEncoder<'a>,
    builder: Option<Box<Builder>>,
    about: Value,
    layout: FramesLayout,
    kept: Option<Result<(), String>>,
}

impl<'a> RecordedFrames<'a> {
    pub(crate) fn new(encoder: FrameEncoder<'a>, builder: Box<Builder>, about: Value) -> Self {
        let layout = FramesLayout {
            hidden: 0,
            dtype: String::new(),
            tokens: Vec::new(),
            frames: StoredReport::default(),
        };
        Self { encoder, builder: Some(builder), about, layout, kept: None }
    }

    /// Bytes of the payload, about.
    pub(crate) fn expected_bytes(model: &Lmm, plan: &RunPlan) -> usize {
        frame_tokens(plan)
            .sum::<usize>()
            .saturating_mul(model.config().decoder.hidden)
            .saturating_mul(size_of::<f32>())
    }

    fn record(&mut self, batch: &[Tensor]) -> Result<(), String> {
        let Some(builder) = &mut self.builder else { return Ok(()) };
        for tokens in batch {
            let (count, hidden) = tokens.dims2().map_err(|e| e.to_string())?;
            self.layout.hidden = hidden;
            self.layout.dtype = tokens.dtype().as_str().to_owned();
            self.layout.tokens.push(count);
            let mut bytes = Vec::new();
            tokens.write_bytes(&mut bytes).map_err(|e| e.to_string())?;
            builder.append(&bytes).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Option<Result<(), String>> {
        let builder = self.builder.take()?;
        self.layout.frames = (&self.encoder.report()).into();
        let layout = serde_json::to_value(&self.layout).map_err(|e| e.to_string());
        Some(layout.and_then(|layout| {
            builder.finish(layout, self.about.clone()).map_err(|e| e.to_string()).map(drop)
        }))
    }
}

impl FrameTokens for RecordedFrames<'_> {
    fn next_batch(&mut self, timings: &mut Timings) -> Result<Vec<Tensor>> {
        let batch = self.encoder.next_batch(timings)?;
        if let Err(problem) = self.record(&batch) {
            self.builder = None; // the run goes on without
            self.kept = Some(Err(problem));
        }
        if batch.is_empty() && self.builder.is_some() {
            self.kept = self.finish();
        }
        Ok(batch)
    }

    fn report(&self) -> FrameReport {
        self.encoder.report()
    }

    fn kept(&mut self) -> Option<Result<(), String>> {
        self.kept.take()
    }
}

/// Frames whose tokens the index holds.
pub(crate) struct IndexedFrames<'a> {
    entry: Entry,
    model: &'a Lmm,
    layout: FramesLayout,
    dtype: DType,
    batch_frames: usize,
    next_frame: usize,
    next_byte: usize,
}

impl<'a> IndexedFrames<'a> {
    /// # Errors
    /// An entry that does not hold what `plan` needs, though its key says so.
    pub(crate) fn new(entry: Entry, model: &'a Lmm, plan: &RunPlan, settings: &RunSettings) -> Result<Self> {
        let refuse = |what: &str| EngineError::request(format!("an entry of embeddings {what}"));
        let layout: FramesLayout =
            serde_json::from_value(entry.layout().clone()).map_err(|e| refuse(&e.to_string()))?;
        let dtype = [DType::F32, DType::F16, DType::BF16].into_iter().find(|d| d.as_str() == layout.dtype);
        let dtype = dtype.ok_or_else(|| refuse("has a dtype that is not known"))?;
        let bytes = frame_tokens(plan)
            .sum::<usize>()
            .saturating_mul(layout.hidden)
            .saturating_mul(dtype.size_in_bytes());
        if !frame_tokens(plan).eq(layout.tokens.iter().copied())
            || layout.hidden != model.config().decoder.hidden
            || layout.frames.reused.len() != layout.tokens.len()
            || bytes != entry.payload().len()
        {
            return Err(refuse("does not fit the plan"));
        }
        let batch_frames = settings.engine.encode_batch_frames;
        Ok(Self { entry, model, layout, dtype, batch_frames, next_frame: 0, next_byte: 0 })
    }
}

impl FrameTokens for IndexedFrames<'_> {
    fn next_batch(&mut self, timings: &mut Timings) -> Result<Vec<Tensor>> {
        let started = Instant::now();
        let rest = self.layout.tokens.get(self.next_frame..).unwrap_or_default();
        let counts: Vec<usize> = rest.iter().copied().take(self.batch_frames).collect();
        let mut batch = Vec::with_capacity(counts.len());
        for tokens in counts {
            let bytes = tokens * self.layout.hidden * self.dtype.size_in_bytes();
            let raw = &self.entry.payload()[self.next_byte..][..bytes];
            let shape = [tokens, self.layout.hidden];
            batch.push(Tensor::from_raw_buffer(raw, self.dtype, &shape, self.model.device())?);
            self.next_byte += bytes;
            self.next_frame += 1;
        }
        timings.index_secs += started.elapsed().as_secs_f64();
        Ok(batch)
    }

    fn report(&self) -> FrameReport {
        self.layout.frames.clone().into()
    }
}
