//! A video in the KV cache, and the conversation about it.

mod held;
mod turns;
mod video;

use crate::encode::FrameEncoder;
use crate::encoded::{EncodedFrames, HeldFrames};
use crate::evidence::EvidenceWatch;
use crate::frames::FrameReport;
use crate::index::{Index, IndexReceipt, Indexing};
use crate::memory::PeakMemory;
use crate::observer::Observer;
use crate::plan::RunPlan;
use crate::settings::RunSettings;
use crate::timings::Timings;
use crate::warning::{Warning, WarningKind};
use crate::{EngineError, Result};
use held::HeldText;
use longsight_models::processor::Turn;
use longsight_models::{KvCache, Lmm};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Where a session's visual tokens come from.
#[derive(Clone, Copy)]
pub enum FrameSource<'a> {
    /// The video, decoded and encoded.
    Video,
    /// The index, with the checkpoint's folder: what it holds is not computed again, and what it lacks is kept there. What
    /// comes of it is bit-equal to [`Self::Video`]. An index that cannot be used is a warning.
    Index(&'a Index, &'a Path),
    /// Frames that are encoded already, under any pooling whose strides they hold.
    Encoded(&'a EncodedFrames),
}

/// Holds the model, the visual prefix and every turn so far, so that a further question costs only its own tokens.
pub struct Session {
    model: Arc<Lmm>,
    plan: RunPlan,
    settings: RunSettings,
    cache: KvCache,
    prefix_tokens: usize,
    held: HeldText,
    turns: Vec<Turn>,
    questions: usize,
    timings: Timings,
    frames: FrameReport,
    evidence: Option<EvidenceWatch>,
    index: Option<IndexReceipt>,
    index_warnings: Vec<Warning>,
    peak: PeakMemory,
}

impl Session {
    /// Decodes, encodes and prefills the video, as far as `source` does not hold what comes of that.
    pub(crate) fn start(
        model: &Arc<Lmm>,
        plan: RunPlan,
        settings: RunSettings,
        source: FrameSource<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        if observer.stop() {
            return Err(EngineError::Stopped);
        }
        let mut session = Self::empty(model, plan, settings)?;
        match source {
            FrameSource::Video => session.encode_video(observer)?,
            FrameSource::Encoded(encoded) => {
                let mut frames = HeldFrames::new(encoded, &session.plan)?;
                session.prefill_video(&mut frames, observer)?;
                session.watch_evidence(None, observer)?;
            }
            FrameSource::Index(index, model_folder) => {
                session.take_from_index(index, model_folder, observer)?;
            }
        }
        Ok(session)
    }

    /// A session that has seen nothing yet.
    fn empty(model: &Arc<Lmm>, plan: RunPlan, settings: RunSettings) -> Result<Self> {
        let peak = PeakMemory::watch();
        let cache =
            KvCache::new(model.decoder().kv_shape(), plan.kv_capacity_tokens, plan.kv_dtype, model.device())?;
        Ok(Self {
            model: Arc::clone(model),
            prefix_tokens: plan.layout.visual_prefix_tokens(),
            timings: Timings { probe_secs: plan.probe_secs, ..Timings::default() },
            plan,
            settings,
            cache,
            held: HeldText::default(),
            turns: Vec::new(),
            questions: 0,
            frames: FrameReport::default(),
            evidence: None,
            index: None,
            index_warnings: Vec::new(),
            peak,
        })
    }

    fn encode_video(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let model = Arc::clone(&self.model);
        let mut frames = FrameEncoder::open(&model, &self.plan, &self.settings)?;
        self.prefill_video(&mut frames, observer)?;
        self.watch_evidence(None, observer)
    }

    fn take_from_index(
        &mut self,
        index: &Index,
        model_folder: &Path,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let identity = match index.identify(&self.plan.video.source, model_folder) {
            Ok(identity) => identity,
            Err(error) => {
                let text = format!("not used: {error}");
                self.plan.warnings.push(Warning::new(WarningKind::Index, text));
                return self.encode_video(observer);
            }
        };
        let model = Arc::clone(&self.model);
        let mut indexing = Indexing::new(index, &identity, (&model, &self.plan, &self.settings));
        let started = Instant::now();
        match indexing.read_prefix(&self.plan, &mut self.cache) {
            Some(report) => {
                self.frames = report;
                self.timings.index_secs = started.elapsed().as_secs_f64();
            }
            None => {
                let mut frames = indexing.frames((&model, &self.plan, &self.settings), observer)?;
                self.prefill_video(&mut *frames, observer)?;
                indexing.frames_done(&mut *frames);
                indexing.write_prefix(&self.cache, &self.plan, &self.frames, observer)?;
            }
        }
        self.watch_evidence(Some(&mut indexing), observer)?;
        (self.index, self.index_warnings) = (Some(indexing.receipt), indexing.warnings);
        Ok(())
    }

    /// The model that answers.
    pub fn model(&self) -> &Lmm {
        &self.model
    }

    /// What was read from the index and written to it, where there is one.
    pub fn index(&self) -> Option<&IndexReceipt> {
        self.index.as_ref()
    }

    /// What went wrong with the index; no answer is the worse for it.
    pub fn index_warnings(&self) -> &[Warning] {
        &self.index_warnings
    }

    /// What this session does.
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// How it does it.
    pub fn settings(&self) -> &RunSettings {
        &self.settings
    }

    /// The conversation so far, as it was said (without what the plan puts before the first question).
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Questions answered.
    pub fn questions(&self) -> usize {
        self.questions
    }
}
