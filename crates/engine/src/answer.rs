use crate::evidence::{Evidence, IllustratedEvidence};
use crate::generate::Generation;
use crate::receipt::Receipt;
use crate::{EngineError, RunPlan, RunSettings};

/// An answer and how it came about.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The text, trimmed.
    pub text: String,
    /// Its tokens.
    pub generation: Generation,
    /// The moments that it rests on, where asked for.
    pub evidence: Option<Evidence>,
    /// What was really done.
    pub receipt: Receipt,
}

impl Answer {
    /// The evidence with pictures, where there is evidence. Frames that cannot be decoded again are no reason to lose an
    /// answer: `problem` hears of them, and the pictures are left out.
    pub fn illustrated(
        &self,
        plan: &RunPlan,
        settings: &RunSettings,
        problem: impl FnOnce(EngineError),
    ) -> Option<IllustratedEvidence> {
        let evidence = self.evidence.as_ref()?;
        Some(evidence.illustrated(&plan.video, &settings.video.decode).unwrap_or_else(|error| {
            problem(error);
            evidence.without_pictures()
        }))
    }
}

/// How a given answer fares against the model's own choices.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerScore {
    /// The answer's tokens.
    pub token_ids: Vec<u32>,
    /// The most probable token where each of them stands, all before it being the answer's.
    pub predicted_ids: Vec<u32>,
    /// Natural logarithms of their probabilities.
    pub logprobs: Vec<f64>,
}

impl AnswerScore {
    /// Whether the model would have given this answer.
    pub fn is_predicted(&self) -> bool {
        self.token_ids == self.predicted_ids
    }
}
