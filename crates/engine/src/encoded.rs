//! The tokens of a whole video under several poolings, for runs that differ only in pooling or positions.
//!
//! Pooled tokens are held, not features: a few hundred tokens a frame under every stride that some setting uses. Memory of a
//! sweep is therefore measured in a process of its own for each setting.

use crate::encode::{FrameEncoder, FrameFeatures};
use crate::frames::{Damaged, FrameReport, FrameTokens};
use crate::observer::{Observer, Stage};
use crate::plan::RunPlan;
use crate::settings::RunSettings;
use crate::timings::Timings;
use crate::{EngineError, Result};
use longsight_method::{PoolPlan, PoolSpec};
use longsight_models::{Lmm, ModelError, Tensor};
use std::collections::BTreeMap;
use std::time::Instant;

/// The visual tokens of a video's frames under several strides: runs that differ only in pooling, context method or
/// question share the tower's work, and are bit-equal to runs of their own.
#[derive(Clone)]
pub struct EncodedFrames {
    frames: Vec<EncodedFrame>,
    damaged: Vec<Damaged>,
    timings: Timings,
}

#[derive(Clone)]
struct EncodedFrame {
    /// By stride; newlines inside their spans.
    tokens: BTreeMap<usize, Tensor>,
    reused: bool,
}

impl EncodedFrames {
    /// Decodes and encodes the frames of `plan`, and pools each with every one of `strides`.
    pub fn encode(
        model: &Lmm,
        plan: &RunPlan,
        strides: &[usize],
        settings: &RunSettings,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut encoder = FrameEncoder::open(model, plan, settings)?;
        let mut timings = Timings { probe_secs: plan.probe_secs, ..Timings::default() };
        let total = plan.sample.frames.len();
        let variants = uniform_plans(plan, strides)?;
        let mut frames: Vec<EncodedFrame> = Vec::with_capacity(total);
        loop {
            let batch = encoder.next_features(&mut timings)?;
            if batch.is_empty() {
                return Ok(Self { frames, damaged: encoder.report().damaged, timings });
            }
            let started = Instant::now();
            for FrameFeatures { ordinal, features, reused } in batch {
                let pool = |(stride, plan): (&usize, &PoolPlan)| {
                    Ok((*stride, model.pool(&features, plan, ordinal)?))
                };
                let tokens = match frames.last().filter(|_| reused) {
                    Some(before) => before.tokens.clone(), // shares their memory: uniform plans pool all frames alike
                    None => variants.iter().map(pool).collect::<Result<_>>()?,
                };
                frames.push(EncodedFrame { tokens, reused });
            }
            timings.vision_secs += started.elapsed().as_secs_f64();
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
        some.damaged.retain(|damaged| damaged.ordinal < frames);
        some
    }

    /// The same frames with frame `ordinal` of `other` inserted before frame `at`.
    pub fn with_inserted(&self, at: usize, other: &Self, ordinal: usize) -> Self {
        let mut all = self.clone();
        let at = at.min(all.frames.len());
        all.frames.splice(at..at, other.frames.get(ordinal).cloned());
        for damaged in all.damaged.iter_mut().filter(|damaged| damaged.ordinal >= at) {
            damaged.ordinal += 1;
        }
        all
    }
}

/// By stride, the plan that pools every frame of `plan` with it.
fn uniform_plans(plan: &RunPlan, strides: &[usize]) -> Result<BTreeMap<usize, PoolPlan>> {
    let frames = plan.sample.frames.len();
    let uniform = |stride: &usize| {
        let spec = PoolSpec::Uniform { stride: *stride };
        let uniform = PoolPlan::new(plan.pool.grid, frames, spec, plan.pool.mode, plan.pool.newline);
        Ok((*stride, uniform.map_err(ModelError::from)?))
    };
    strides.iter().map(uniform).collect()
}

/// Yields frames that are already encoded, pooled as a plan says.
pub(crate) struct HeldFrames<'a> {
    encoded: &'a EncodedFrames,
    strides: Vec<usize>,
    next: usize,
}

impl<'a> HeldFrames<'a> {
    pub(crate) fn new(encoded: &'a EncodedFrames, plan: &RunPlan) -> Result<Self> {
        let strides: Vec<usize> = plan.pool.units.iter().map(|frame| frame.stride).collect();
        let held =
            encoded.frames.iter().zip(&strides).all(|(frame, stride)| frame.tokens.contains_key(stride));
        if !held || encoded.frames.len() != strides.len() {
            return Err(EngineError::request(format!(
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
        let tokens =
            self.strides.get(self.next).and_then(|s| self.encoded.frames[self.next].tokens.get(s)).cloned();
        self.next += 1;
        Ok(tokens.into_iter().collect())
    }

    fn report(&self) -> FrameReport {
        let reused = self.encoded.frames.iter().map(|frame| frame.reused).collect();
        FrameReport { damaged: self.encoded.damaged.clone(), reused }
    }
}
