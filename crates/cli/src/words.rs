//! What the engine says, in the command line's words: settings are named as flags.

use longsight_engine::{EngineError, Setting, Text, Warning};
use longsight_eval::EvalError;
use longsight_text::{MAX_SHOWN_CHARS, escaped, sentence, shown};
use std::error::Error;
use std::path::Path;

fn flag(setting: Setting) -> String {
    setting.flag().to_owned()
}

/// A sentence.
pub fn text(text: &Text) -> String {
    text.show(&flag)
}

/// A warning, in one line.
pub fn warning(warning: &Warning) -> String {
    line(&warning.show(&flag))
}

/// A message as one line for a terminal: control characters escaped, what was typed cut where it is long, and the whole not
/// endless whatever a file or a library put into it.
pub fn line(message: &str) -> String {
    const MAX_CHARS: usize = 1500;
    let line = escaped(&without_long_inputs(message.to_owned()));
    match line.char_indices().nth(MAX_CHARS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// A path in a line for people.
pub fn path(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// `message` with each long argument and variable of the environment in it cut, and told once: parsers repeat what they refuse.
pub fn without_long_inputs(message: String) -> String {
    if message.len() <= MAX_SHOWN_CHARS {
        return message;
    }
    let args = std::env::args_os().skip(1);
    let inputs = args.chain(std::env::vars_os().map(|(_, value)| value));
    let inputs = inputs.flat_map(|input| {
        let input = input.to_string_lossy().into_owned();
        let value = input.split_once('=').map(|(_, value)| value.to_owned());
        [Some(input), value].into_iter().flatten()
    });
    let long = inputs.filter(|input| input.chars().count() > MAX_SHOWN_CHARS);
    long.fold(message, |message, input| {
        let cut = shown(&input);
        let message = message.replace(&input, &cut);
        match message.split_once(&cut) {
            Some((before, after)) => format!("{before}{cut}{}", after.replace(&cut, "…")),
            None => message,
        }
    })
}

/// An error, without its causes.
pub fn error(error: &(dyn Error + 'static)) -> String {
    let from_eval = error.downcast_ref().and_then(|error| match error {
        EvalError::Engine(error) => Some(error),
        _ => None,
    });
    match error.downcast_ref::<EngineError>().or(from_eval) {
        Some(error) => error.show(&flag),
        None if error.is::<serde_json::Error>() => sentence(&error.to_string()),
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
