//! What the engine says, in the command line's words: settings are named as flags.

use longsight_engine::{EngineError, Setting, Text, Warning};
use longsight_eval::EvalError;
use std::error::Error;

fn flag(setting: Setting) -> String {
    setting.flag().to_owned()
}

/// A sentence.
pub fn text(text: &Text) -> String {
    text.show(&flag)
}

/// A warning.
pub fn warning(warning: &Warning) -> String {
    warning.show(&flag)
}

/// An error, without its causes.
pub fn error(error: &(dyn Error + 'static)) -> String {
    let from_eval = error.downcast_ref().and_then(|error| match error {
        EvalError::Engine(error) => Some(error),
        _ => None,
    });
    match error.downcast_ref::<EngineError>().or(from_eval) {
        Some(error) => error.show(&flag),
        None => error.to_string(),
    }
}
