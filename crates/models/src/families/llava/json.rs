//! A JSON object with the file it came from, for errors that name both.

use crate::{ModelError, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Config files are small; a larger one is something else.
const MAX_BYTES: u64 = 64 << 20;

/// An object of a config file.
#[derive(Debug, Clone)]
pub(super) struct Json {
    path: PathBuf,
    value: Value,
}

impl Json {
    /// Reads a file that must hold one object.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let io = |source| ModelError::Io { path: path.into(), source };
        if std::fs::metadata(path).map_err(io)?.len() > MAX_BYTES {
            return Err(ModelError::File {
                path: path.into(),
                message: "too large for a config file".into(),
            });
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|e| ModelError::File { path: path.into(), message: format!("not valid JSON ({e})") })?;
        if !value.is_object() {
            return Err(ModelError::File { path: path.into(), message: "holds no JSON object".into() });
        }
        Ok(Self { path: path.into(), value })
    }

    /// An error about this file.
    pub(super) fn error(&self, message: impl Into<String>) -> ModelError {
        ModelError::Config { path: self.path.clone(), message: message.into() }
    }

    /// The object under `key`.
    pub(super) fn at(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|v| v.is_object())?.clone();
        Some(Self { path: self.path.clone(), value })
    }

    /// The object under `key`, empty where there is none: every setting then has its class default.
    pub(super) fn at_or_empty(&self, key: &str) -> Self {
        self.at(key).unwrap_or(Self { path: self.path.clone(), value: Value::Object(Default::default()) })
    }

    /// The string under `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.value.get(key)?.as_str()
    }

    /// The number under `key`.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.value.get(key)?.as_f64()
    }

    /// The flag under `key`.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.value.get(key)?.as_bool()
    }

    /// The size under `key`; absent (or null) gives `default`.
    pub(super) fn size(&self, key: &str, default: usize) -> Result<usize> {
        match self.value.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(v) => v
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .ok_or_else(|| self.error(format!("`{key}` is {v}, a whole number is needed"))),
        }
    }

    /// Three numbers under `key`.
    pub(super) fn triple(&self, key: &str) -> Option<[f32; 3]> {
        let numbers: Vec<f32> =
            self.value.get(key)?.as_array()?.iter().filter_map(Value::as_f64).map(|v| v as f32).collect();
        numbers.try_into().ok()
    }

    /// The token id or ids under `key`.
    pub(super) fn ids(&self, key: &str) -> Vec<u32> {
        let id = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
        match self.value.get(key) {
            Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
            Some(v) => id(v).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Whether `key` is there and not null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some_and(|v| !v.is_null())
    }

    /// The class names under `architectures`.
    pub(super) fn architectures(&self) -> Vec<String> {
        let list = self.value.get("architectures").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}
