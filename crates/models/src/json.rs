//! A JSON object with the file it came from, for errors that name both.

use crate::{ModelError, Result, files};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Config files are small; a larger one is something else.
const MAX_BYTES: u64 = 64 << 20;

/// An object of a config file.
#[derive(Debug, Clone)]
pub(crate) struct Json {
    path: PathBuf,
    value: Value,
}

impl Json {
    /// Reads a file that must hold one object.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = files::read_text(path, MAX_BYTES)?;
        let value: Value = serde_json::from_str(&text).map_err(|e| ModelError::File {
            path: path.into(),
            message: format!("not valid JSON ({e}); download it again"),
        })?;
        if !value.is_object() {
            return Err(ModelError::File { path: path.into(), message: "holds no JSON object".into() });
        }
        Ok(Self { path: path.into(), value })
    }

    /// An error about this file.
    pub(crate) fn error(&self, message: impl Into<String>) -> ModelError {
        ModelError::Config { path: self.path.clone(), message: message.into() }
    }

    /// Something to be said of this file, in a receipt: it names the file, and not where that lies.
    pub(crate) fn remark(&self, message: impl std::fmt::Display) -> String {
        let name = self.path.file_name().unwrap_or_default();
        format!("{}: {message}", name.to_string_lossy())
    }

    /// Every key that is not null, with its value.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        let entries = self.value.as_object().into_iter().flatten();
        entries.filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.as_str(), value))
    }

    /// Whether `key` is there and says null.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        self.value.get(key).is_some_and(Value::is_null)
    }

    /// The object under `key`.
    pub(crate) fn at(&self, key: &str) -> Result<Option<Self>> {
        match self.get(key) {
            Some(v) if !v.is_object() => Err(self.wrong(key, v, "an object")),
            found => Ok(found.map(|v| Self { path: self.path.clone(), value: v.clone() })),
        }
    }

    /// The object under `key`, empty where there is none: every setting then has its class default.
    pub(crate) fn at_or_empty(&self, key: &str) -> Result<Self> {
        let empty = || Self { path: self.path.clone(), value: Value::Object(Default::default()) };
        Ok(self.at(key)?.unwrap_or_else(empty))
    }

    /// The string under `key`.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, Value::as_str, "a string")
    }

    /// The number under `key`.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>> {
        self.typed(key, Value::as_f64, "a number")
    }

    /// The flag under `key`.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, Value::as_bool, "true or false")
    }

    /// The value under `key`; absent and null are one.
    fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// The value under `key` as `read` takes it. A value of another type is an error: ignoring it would run another
    /// model than the file describes.
    fn typed<'a, T>(
        &'a self,
        key: &str,
        read: impl Fn(&'a Value) -> Option<T>,
        wanted: &str,
    ) -> Result<Option<T>> {
        self.get(key).map(|v| read(v).ok_or_else(|| self.wrong(key, v, wanted))).transpose()
    }

    fn wrong(&self, key: &str, found: &Value, wanted: &str) -> ModelError {
        self.error(format!("`{key}` is {found}, {wanted} is needed"))
    }

    /// The size under `key`; absent (or null) gives `default`.
    pub(crate) fn size(&self, key: &str, default: usize) -> Result<usize> {
        let size = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
        Ok(self.typed(key, size, "a whole number")?.unwrap_or(default))
    }

    /// Three numbers under `key`.
    pub(crate) fn triple(&self, key: &str) -> Result<Option<[f32; 3]>> {
        let three = |v: &Value| {
            let numbers = v.as_array()?.iter().map(|v| v.as_f64().map(|n| n as f32));
            numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
        };
        self.typed(key, three, "a list of three numbers")
    }

    /// The whole number or list of whole numbers under `key`.
    pub(crate) fn wholes(&self, key: &str) -> Result<Option<Vec<i64>>> {
        let wholes = |v: &Value| match v {
            Value::Array(list) => list.iter().map(Value::as_i64).collect(),
            v => Some(vec![v.as_i64()?]),
        };
        self.typed(key, wholes, "a whole number or a list of them")
    }

    /// The strings under `key`.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.typed(key, |v| v.as_array()?.iter().map(Value::as_str).collect(), "a list of strings")
    }

    /// The pairs of whole numbers under `key`.
    pub(crate) fn pairs(&self, key: &str) -> Result<Option<Vec<(usize, usize)>>> {
        let pair = |v: &Value| match v.as_array()?.as_slice() {
            [a, b] => Some((usize::try_from(a.as_u64()?).ok()?, usize::try_from(b.as_u64()?).ok()?)),
            _ => None,
        };
        self.typed(key, |v| v.as_array()?.iter().map(pair).collect(), "a list of pairs of whole numbers")
    }

    /// The token id or ids under `key`.
    pub(crate) fn ids(&self, key: &str) -> Result<Vec<u32>> {
        let id = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
        let ids = |v: &Value| match v {
            Value::Array(list) => list.iter().map(id).collect(),
            v => Some(vec![id(v)?]),
        };
        Ok(self.typed(key, ids, "a token id or a list of them")?.unwrap_or_default())
    }

    /// Whether `key` is there and not null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The class names under `architectures`.
    pub(crate) fn architectures(&self) -> Vec<String> {
        let list = self.value.get("architectures").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}
