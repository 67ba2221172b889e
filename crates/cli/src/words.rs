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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use longsight_engine::{ErrorKind, Fault, WarningKind};

    #[test]
    fn every_kind_of_error_names_flags_and_only_ours_are_to_be_reported() {
        for kind in ErrorKind::ALL {
            let problem = Text::new(vec![Setting::TopP.into(), " is not ".into(), Setting::From.into()]);
            let found = EngineError::from(Fault::new(kind, problem));
            let expected = match kind {
                ErrorKind::Internal => "--top-p is not --from; please report this",
                _ => "--top-p is not --from",
            };
            assert_eq!(error(&found), expected, "{kind:?}");
            assert_eq!(error(&EvalError::Engine(found)), expected, "{kind:?}");
        }
        assert_eq!(error(&std::io::Error::other("x")), "x");
    }

    #[test]
    fn a_warning_tells_what_it_is_about_and_names_flags() {
        let said = Text::new(vec!["see ".into(), Setting::IndexDir.into()]);
        assert_eq!(warning(&Warning::new(WarningKind::Index, said)), "index: see --index-dir");
        assert_eq!(warning(&Warning::new(WarningKind::Video, "short")), "short");
    }
}
