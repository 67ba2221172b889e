//! How evidence is found.

use super::Reduction;
use crate::settings::Setting;
use crate::{EngineError, Result};
use longsight_models::ModelInfo;
use std::fmt;
use std::str::FromStr;

/// The prompt whose attention tells what frames get whatever is asked: sinks, the first frame, fine grids. It asks for
/// nothing: a prompt such as "Describe the video." looks for every moment that any question is about (docs/evidence/README.md).
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
    pub fn resolve(&self, model: &ModelInfo) -> (Vec<(usize, usize)>, String) {
        let decoder = &model.config.decoder;
        let all = |from: usize| {
            (from..decoder.layers).flat_map(|layer| (0..decoder.heads).map(move |head| (layer, head)))
        };
        match (self, &model.config.evidence_heads) {
            (Self::Chosen(heads), _) => (heads.clone(), Setting::EvidenceHeads.flag().into()),
            (Self::Model, Some(heads)) => (heads.clone(), "config.json".into()),
            (Self::Model, None) => {
                let fourth = |(layer, _): &(usize, usize)| (layer - decoder.layers / 2).is_multiple_of(4);
                (
                    all(decoder.layers / 2).filter(fourth).collect(),
                    "every fourth layer of the second half".into(),
                )
            }
            (Self::All, _) => (all(0).collect(), format!("{} all", Setting::EvidenceHeads.flag())),
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
                let accepted = "model, all, or heads as LAYER.HEAD,... (3.0,3.2)";
                EngineError::setting(Setting::EvidenceHeads, accepted.into())
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
