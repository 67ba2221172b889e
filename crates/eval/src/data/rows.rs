//! Rows of annotation files, whatever their format, with typed access that names file, row and key when it fails.

use super::items::{Fault, Items};
use super::parquet;
use crate::{EvalError, Result};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) path: Arc<Path>,
    /// From 0 in its file.
    pub(crate) number: usize,
    pub(crate) fields: Map<String, Value>,
}

/// Rows of a file; after an error there are no more.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Row>>>;

/// Opens an annotation file: parquet by its name, else JSON (a list, or an object a line).
///
/// `keys` are the only columns that are read of a parquet file: some hold whole videos.
pub(crate) fn open(path: &Path, keys: &'static [&'static str]) -> Result<Rows> {
    let is_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    if is_parquet { parquet::rows(path, keys) } else { Ok(Box::new(JsonRows::open(path)?)) }
}

/// A file error from anything that says what is wrong.
pub(crate) fn file_error(path: &Path, message: impl ToString) -> EvalError {
    EvalError::File { path: path.into(), message: message.to_string() }
}

/// A row error, likewise.
pub(crate) fn row_error(path: &Path, row: usize, message: impl ToString) -> EvalError {
    EvalError::Row { path: path.into(), row, message: message.to_string() }
}

/// The start of a text from a file, quoted, fit for one line of a message.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let start: String = text.chars().take(LONGEST).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{rest}`", start.escape_debug())
}

/// Rows of a JSON file.
struct JsonRows {
    items: Items<std::io::BufReader<std::fs::File>>,
    path: Arc<Path>,
    buffer: Vec<u8>,
    number: usize,
    failed: bool,
}

impl JsonRows {
    fn open(path: &Path) -> Result<Self> {
        let items = Items::open(path).map_err(|error| file_error(path, Fault::Io(error).message()))?;
        Ok(Self { items, path: path.into(), buffer: Vec::new(), number: 0, failed: false })
    }

    fn read(&mut self) -> Result<Option<Row>> {
        let found = self.items.next_into(&mut self.buffer);
        if !found.map_err(|fault| row_error(&self.path, self.number, fault.message()))? {
            return Ok(None);
        }
        let fields = parse(&self.buffer, &self.path, self.number)?;
        self.number += 1;
        Ok(Some(Row { path: self.path.clone(), number: self.number - 1, fields }))
    }
}

impl Iterator for JsonRows {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = self.read();
        self.failed = row.is_err();
        row.transpose()
    }
}

/// One JSON object.
pub(crate) fn parse(text: &[u8], path: &Path, row: usize) -> Result<Map<String, Value>> {
    serde_json::from_slice(text).map_err(|error| row_error(path, row, format!("not valid JSON: {error}")))
}

impl Row {
    pub(crate) fn error(&self, message: impl ToString) -> EvalError {
        row_error(&self.path, self.number, message)
    }

    /// The value, None where the key is missing or null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// The objection that a required key has no value.
    pub(crate) fn missing(&self, key: &str) -> EvalError {
        self.error(format!("`{key}` is missing"))
    }

    fn wrong(&self, key: &str, wanted: &str, value: &Value) -> EvalError {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.error(format!("`{key}` must be {wanted}, and is {found}"))
    }

    /// A required string.
    pub(crate) fn text(&self, key: &str) -> Result<&str> {
        self.optional_text(key)?.ok_or_else(|| self.missing(key))
    }

    /// A string that need not be there.
    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, "a string", other)),
        }
    }

    /// A required list of strings.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>> {
        self.optional_texts(key)?.ok_or_else(|| self.missing(key))
    }

    /// A list of strings that need not be there.
    pub(crate) fn optional_texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let Value::Array(entries) = value else { return Err(self.wrong(key, "a list of strings", value)) };
        let texts = entries.iter().map(|entry| match entry {
            Value::String(text) => Ok(text.clone()),
            other => Err(self.wrong(key, "a list of strings only", other)),
        });
        texts.collect::<Result<_>>().map(Some)
    }

    /// A number that need not be there.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "a number", value)),
        }
    }

    /// A whole number that need not be there.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => integral(value).map(Some).ok_or_else(|| self.wrong(key, "a whole number", value)),
        }
    }

    /// A string or a whole number, as a string, that need not be there.
    pub(crate) fn label(&self, key: &str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value) => match integral(value) {
                Some(number) => Ok(Some(number.to_string())),
                None => Err(self.wrong(key, "a string or a whole number", value)),
            },
        }
    }

    /// Pairs of names and labels for the keys that the row has.
    pub(crate) fn groups(&self, names: &[&str]) -> Result<Vec<(String, String)>> {
        let found = names.iter().map(|name| Ok(self.label(name)?.map(|label| ((*name).to_owned(), label))));
        found.filter_map(Result::transpose).collect()
    }

    /// A required object inside the row, as a row of its own.
    pub(crate) fn inner(&self, key: &str) -> Result<Option<Self>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self { fields: fields.clone(), ..self.clone() })),
            Some(other) => Err(self.wrong(key, "an object", other)),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// A number without a fraction, also where it was written as 15.0 (pandas does so).
fn integral(value: &Value) -> Option<i64> {
    let float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
    value.as_i64().or_else(|| float().map(|number| number as i64))
}
