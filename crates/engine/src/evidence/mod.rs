//! The moments that an answer rests on: attention from the answer's tokens to the frames, against a neutral prompt's.

mod curve;
mod moments;
mod pictures;

pub use curve::{Reduction, best_frame, frame_scores};
pub use moments::{Moment, moments};
pub use pictures::{IllustratedEvidence, THUMBNAIL_WIDTH};

use crate::plan::RunPlan;
use crate::{EngineError, Result};
use longsight_models::decoder::AttentionProbe;
use longsight_models::{Lmm, ModelInfo};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// The prompt whose attention tells what frames get whatever is asked: sinks, the first frame, fine grids. It asks for
/// nothing: a prompt such as "Describe the video." looks for every moment that any question is about (docs/evidence.md).
pub const NEUTRAL_PROMPT: &str = ".";

/// How evidence is found.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceSettings {
    /// Whose attention counts.
    pub heads: EvidenceHeads,
    /// How many moments are listed, at most.
    pub moments: usize,
    /// How heads and prompts become one score a frame.
    pub reduction: Reduction,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self { heads: EvidenceHeads::Model, moments: 3, reduction: Reduction::default() }
    }
}

/// Query heads of the decoder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EvidenceHeads {
    /// Those that the checkpoint names (`longsight.evidence_heads` in config.json, measured with `longsight eval evidence`);
    /// where it names none, all heads of every fourth layer of the second half: more would cost more than a few percent of
    /// an answer's time.
    #[default]
    Model,
    /// All heads of all layers.
    All,
    /// These, as pairs of layer and head.
    Chosen(Vec<(usize, usize)>),
}

impl EvidenceHeads {
    /// The heads, and where the choice comes from.
    pub fn resolve(&self, model: &ModelInfo) -> (Vec<(usize, usize)>, &'static str) {
        let decoder = &model.config.decoder;
        let all = |from: usize| {
            (from..decoder.layers).flat_map(|layer| (0..decoder.heads).map(move |head| (layer, head)))
        };
        match (self, &model.config.evidence_heads) {
            (Self::Chosen(heads), _) => (heads.clone(), "--evidence-heads"),
            (Self::Model, Some(heads)) => (heads.clone(), "config.json"),
            (Self::Model, None) => {
                let fourth = |(layer, _): &(usize, usize)| (layer - decoder.layers / 2).is_multiple_of(4);
                (all(decoder.layers / 2).filter(fourth).collect(), "every fourth layer of the second half")
            }
            (Self::All, _) => (all(0).collect(), "--evidence-heads all"),
        }
    }
}

impl FromStr for EvidenceHeads {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self> {
        let pair = |part: &str| {
            let (layer, head) = part.split_once('.')?;
            Some((layer.parse().ok()?, head.parse().ok()?))
        };
        match text {
            "model" => Ok(Self::Model),
            "all" => Ok(Self::All),
            _ => text.split(',').map(pair).collect::<Option<_>>().map(Self::Chosen).ok_or_else(|| {
                EngineError::Setting("model, all, or heads as LAYER.HEAD,... (3.0,3.2)".into())
            }),
        }
    }
}

impl fmt::Display for EvidenceHeads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("model"),
            Self::All => f.write_str("all"),
            Self::Chosen(heads) => {
                let names: Vec<String> =
                    heads.iter().map(|(layer, head)| format!("{layer}.{head}")).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

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
    pub heads_source: &'static str,
    /// The prompt that frames are compared with.
    pub neutral_prompt: &'static str,
    /// What was measured, for programs that reduce it in another way.
    #[serde(skip)]
    pub attention: FrameAttention,
}

/// Attention to frames, `[heads, frames]` each: mean over tokens of the sum of softmax weights on a frame's positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameAttention {
    /// From the prompt's last token and the answer's.
    pub answer: Vec<f64>,
    /// From the last token of the neutral prompt.
    pub neutral: Vec<f64>,
    /// How many frames.
    pub frames: usize,
}

/// Watches a session's answers.
pub(crate) struct EvidenceWatch {
    settings: EvidenceSettings,
    heads_source: &'static str,
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
            heads_source: self.heads_source,
            neutral_prompt: NEUTRAL_PROMPT,
            attention,
        }
    }
}
