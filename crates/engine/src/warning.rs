use crate::settings::Setting;
use crate::text::Text;
use serde::{Serialize, Serializer};
use std::fmt;

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// The index; no answer is the worse for it.
    Index,
    /// The video, its frames and their decoding.
    Video,
    /// The checkpoint.
    Model,
    /// The prompt's text: subtitles, special tokens.
    Prompt,
    /// A prompt longer than the model was trained with.
    Window,
}

/// What the user should know of a run that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// What is the matter.
    pub text: Text,
}

impl Warning {
    /// About `kind`.
    pub fn new(kind: WarningKind, text: impl Into<Text>) -> Self {
        Self { kind, text: text.into() }
    }

    /// One line, with `name` for each setting.
    pub fn show(&self, name: &dyn Fn(Setting) -> String) -> String {
        let subject = if self.kind == WarningKind::Index { "index: " } else { "" };
        format!("{subject}{}", self.text.show(name))
    }
}

/// With the settings' keys.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(&|setting| setting.key().to_owned()))
    }
}

/// As one line, in a receipt and a plan. Settings are named as on the command line: the format is older than the schema.
impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.show(&|setting| setting.flag().to_owned()))
    }
}
