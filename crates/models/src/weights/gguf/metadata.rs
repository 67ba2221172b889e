//! The key-value pairs before a GGUF file's tensors: configuration and tokenizer of a file that is a checkpoint by itself.

use crate::{ModelError, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A value, as far as longsight reads it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GgufValue {
    /// A whole number of any width.
    Whole(i64),
    /// A floating-point number of either width.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// Text.
    Text(String),
    /// Values of one kind, lists excluded.
    List(Vec<GgufValue>),
}

/// All pairs of one file. Errors name the file and the key.
#[derive(Debug)]
pub(crate) struct GgufMetadata {
    path: PathBuf,
    values: BTreeMap<String, GgufValue>,
}

impl GgufMetadata {
    pub(super) fn new(path: &Path, values: BTreeMap<String, GgufValue>) -> Self {
        Self { path: path.into(), values }
    }

    /// An error about this file.
    pub(crate) fn error(&self, message: impl Into<String>) -> ModelError {
        ModelError::Config { path: self.path.clone(), message: message.into() }
    }

    /// The keys that begin with `prefix`.
    pub(crate) fn keys<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.keys().map(String::as_str).filter(move |key| key.starts_with(prefix))
    }

    /// The value under `key`, which must be there.
    pub(crate) fn need<T>(&self, key: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| {
            self.error(format!("metadata key `{key}` is missing: convert the model to GGUF again"))
        })
    }

    /// The text under `key`.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, GgufValue::text, "text")
    }

    /// The size under `key`.
    pub(crate) fn size(&self, key: &str) -> Result<Option<usize>> {
        self.typed(key, |value| usize::try_from(value.whole()?).ok(), "a whole number")
    }

    /// The token id under `key`.
    pub(crate) fn id(&self, key: &str) -> Result<Option<u32>> {
        self.typed(key, |value| u32::try_from(value.whole()?).ok(), "a token id")
    }

    /// The number under `key`.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>> {
        let number = |value: &GgufValue| match value {
            GgufValue::Float(number) => Some(*number),
            value => value.whole().map(|number| number as f64),
        };
        self.typed(key, number, "a number")
    }

    /// The flag under `key`.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        let flag = |value: &GgufValue| match value {
            GgufValue::Flag(flag) => Some(*flag),
            _ => None,
        };
        self.typed(key, flag, "true or false")
    }

    /// The texts under `key`.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.typed(key, |value| value.list()?.iter().map(GgufValue::text).collect(), "a list of texts")
    }

    /// The whole numbers under `key`.
    pub(crate) fn wholes(&self, key: &str) -> Result<Option<Vec<i64>>> {
        self.typed(
            key,
            |value| value.list()?.iter().map(GgufValue::whole).collect(),
            "a list of whole numbers",
        )
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        read: impl Fn(&'a GgufValue) -> Option<T>,
        wanted: &str,
    ) -> Result<Option<T>> {
        let wrong = || self.error(format!("metadata key `{key}` is not {wanted}; download it again"));
        self.values.get(key).map(|value| read(value).ok_or_else(wrong)).transpose()
    }
}

impl GgufValue {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            _ => None,
        }
    }

    fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }
}
