//! JSON as Python's `json.dumps` writes it, which is what transformers' `tojson` is.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

/// How deep values may nest.
const MAX_DEPTH: usize = 100;

/// The filter: `ensure_ascii` (false), `indent`, `separators`, `sort_keys` as in Python.
pub(super) fn filter(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent = match options.get::<Option<Value>>("indent")?.filter(|v| !v.is_none() && !v.is_undefined()) {
        None => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(indent)?.min(MAX_DEPTH)),
        }),
    };
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    let [item, key] = match separators.as_deref() {
        Some([item, key]) => [item.clone(), key.clone()],
        Some(_) => return Err(wrong("separators are two texts")),
        None => [if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()],
    };
    let ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sorted = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    options.assert_all_used()?;
    let mut writer = Writer { out: String::new(), indent, item, key, ascii, sorted };
    writer.value(value, 0)?;
    Ok(Value::from(writer.out))
}

struct Writer {
    out: String,
    indent: Option<String>,
    item: String,
    key: String,
    ascii: bool,
    sorted: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(wrong("the value nests too deep"));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&value.to_string()),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.items("[]", items.len(), depth, |writer, i| writer.value(&items[i], depth + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorted {
                    keys.sort();
                }
                self.items("{}", keys.len(), depth, |writer, i| {
                    writer.text(&key_text(&keys[i])?);
                    writer.out.push_str(&writer.key.clone());
                    writer.value(&value.get_item(&keys[i])?, depth + 1)
                })?;
            }
            kind => return Err(wrong(&format!("{kind} is no JSON"))),
        }
        Ok(())
    }

    fn items(
        &mut self,
        brackets: &str,
        count: usize,
        depth: usize,
        mut write: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (open, close) = brackets.split_at(1);
        self.out.push_str(open);
        for i in 0..count {
            if i > 0 {
                self.out.push_str(&self.item.clone());
            }
            self.line(depth + 1);
            write(self, i)?;
        }
        if count > 0 {
            self.line(depth);
        }
        self.out.push_str(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
    }

    fn text(&mut self, text: &str) {
        let quoted = serde_json::Value::from(text).to_string();
        if !self.ascii {
            return self.out.push_str(&quoted);
        }
        for c in quoted.chars() {
            match c {
                ' '..='~' => self.out.push(c),
                c => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| self.out.push_str(&format!("\\u{unit:04x}"))),
            }
        }
    }
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String | ValueKind::Number => Ok(key.to_string()),
        ValueKind::Bool => Ok(key.to_string().to_lowercase()),
        ValueKind::None => Ok("null".into()),
        kind => Err(wrong(&format!("a key is {kind}"))),
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("tojson: {what}"))
}
