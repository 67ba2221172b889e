//! The main path: one call a stage.

use crate::evidence::Evidence;
use crate::observer::Observer;
use crate::plan::RunPlan;
use crate::receipt::Receipt;
use crate::session::Session;
use crate::settings::RunSettings;
use crate::{Generation, Result};
use longsight_models::Lmm;
use longsight_video::VideoSource;

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

/// Answers one question about one video.
///
/// # Errors
/// A video that cannot be read, settings that cannot be meant or do not fit the memory allowed; see [`crate::EngineError`].
pub fn answer(
    model: &Lmm,
    source: &VideoSource,
    question: &str,
    settings: &RunSettings,
    observer: &mut dyn Observer,
) -> Result<Answer> {
    let plan = RunPlan::new(model.info(), source, question, settings)?;
    plan.check_memory(model.info(), settings)?;
    let mut session = Session::start(model, plan, settings, observer)?;
    session.ask(question, observer)
}
