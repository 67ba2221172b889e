//! The moments that an answer rests on: attention from the answer's tokens to the frames, against a neutral prompt's.

mod curve;
mod moments;
mod pictures;
mod settings;

pub use curve::{FrameAttention, Reduction, best_frame, frame_scores};
pub use moments::{Moment, moments};
pub use pictures::{IllustratedEvidence, THUMBNAIL_WIDTH};
pub use settings::{EvidenceHeads, EvidenceSettings, NEUTRAL_PROMPT};

use crate::Result;
use crate::plan::RunPlan;
use longsight_models::Lmm;
use longsight_models::decoder::AttentionProbe;
use serde::Serialize;

/// What an answer rests on.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// Best first.
    pub moments: Vec<Moment>,
    /// Score of each sampled frame, in their order; together 1, or all 0 where no frame stands out.
    pub frame_scores: Vec<f64>,
    /// Query heads that were watched, as (layer, head).
    pub heads: Vec<(usize, usize)>,
    /// Who chose them.
    pub heads_source: String,
    /// The prompt that frames are compared with.
    pub neutral_prompt: &'static str,
    /// What was measured, for programs that reduce it in another way.
    #[serde(skip)]
    pub attention: FrameAttention,
}

/// Watches a session's answers.
pub(crate) struct EvidenceWatch {
    settings: EvidenceSettings,
    heads_source: String,
    empty: AttentionProbe,
    neutral: Vec<f64>,
}

impl EvidenceWatch {
    pub(crate) fn new(model: &Lmm, plan: &RunPlan, settings: &EvidenceSettings) -> Result<Self> {
        let (heads, heads_source) = settings.heads.resolve(model.info());
        let spans = (0..plan.sample.frames.len()).map(|ordinal| plan.layout.unit_span(ordinal)).collect();
        let empty = AttentionProbe::new(&model.config().decoder, &heads, spans)?;
        Ok(Self { settings: settings.clone(), heads_source, empty, neutral: Vec::new() })
    }

    /// A probe for one answer.
    pub(crate) fn probe(&self) -> AttentionProbe {
        self.empty.clone()
    }

    /// Takes the attention that every answer is compared with.
    pub(crate) fn set_neutral(&mut self, mass: Vec<f64>) {
        self.neutral = mass;
    }

    /// The evidence for an answer that `probe` has watched.
    pub(crate) fn evidence(&self, plan: &RunPlan, probe: &AttentionProbe) -> Evidence {
        let attention = FrameAttention {
            answer: probe.mean_mass(),
            neutral: self.neutral.clone(),
            frames: plan.sample.frames.len(),
        };
        let frame_scores = frame_scores(&attention, self.settings.reduction);
        Evidence {
            moments: moments(plan, &frame_scores, self.settings.moments),
            frame_scores,
            heads: probe.heads(),
            heads_source: self.heads_source.clone(),
            neutral_prompt: NEUTRAL_PROMPT,
            attention,
        }
    }
}
