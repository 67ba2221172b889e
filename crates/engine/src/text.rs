//! Sentences that name settings, for every reader in the reader's words.

use crate::settings::Setting;
use std::fmt;

/// A sentence that may name settings. Who shows it decides how they are spelt: as flags, as fields of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<Piece>);

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Plain(String),
    /// The name of a setting.
    Setting(Setting),
}

impl Text {
    /// Of these pieces.
    pub fn new(pieces: Vec<Piece>) -> Self {
        Self(pieces)
    }

    /// The sentence, with `name` for each setting.
    pub fn show(&self, name: &dyn Fn(Setting) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Plain(text) => text.clone(),
            Piece::Setting(setting) => name(*setting),
        };
        self.0.iter().map(piece).collect()
    }

    /// The first setting that it names.
    pub fn setting(&self) -> Option<Setting> {
        self.0.iter().find_map(|piece| match piece {
            Piece::Setting(setting) => Some(*setting),
            Piece::Plain(_) => None,
        })
    }

    /// With `more` after it.
    pub fn then(mut self, more: Text) -> Self {
        self.0.extend(more.0);
        self
    }

    /// With other words for `from`.
    pub fn replacing(mut self, from: &str, to: &str) -> Self {
        for piece in &mut self.0 {
            if let Piece::Plain(text) = piece {
                *text = text.replace(from, to);
            }
        }
        self
    }
}

/// With the settings' keys.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(&|setting| setting.key().to_owned()))
    }
}

impl From<Setting> for Piece {
    fn from(setting: Setting) -> Self {
        Self::Setting(setting)
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(vec![text.into()])
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(vec![text.into()])
    }
}

/// A [`Text`] of pieces: strings and settings.
macro_rules! text {
    ($($piece:expr),+ $(,)?) => { $crate::text::Text::new(vec![$($crate::text::Piece::from($piece)),+]) };
}

pub(crate) use text;
