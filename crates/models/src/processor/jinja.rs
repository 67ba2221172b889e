//! Chat templates rendered as transformers renders them: Jinja2 with `trim_blocks` and `lstrip_blocks`, loop controls, marks
//! for training masks, Python's methods of strings and dicts, and a `tojson` that escapes no HTML.

use super::tags;
use crate::guard;
use chrono::format::{Item, StrftimeItems};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value};

/// A hundred times the longest published template.
const MAX_TEMPLATE_BYTES: usize = 1 << 20;
/// Operators, names and brackets between `{{` and `}}`, strings left out: each may be a level of a syntax tree.
const MAX_TAG_BYTES: usize = 16 << 10;
/// Far above any context window.
const MAX_PROMPT_BYTES: usize = 64 << 20;
/// A step costs one, and so do 64 bytes of whatever the template makes: at most 64 MB of values.
const FUEL: u64 = 1_000_000;

/// `source` with `values`.
///
/// # Errors
/// In words, on one line: a template that is too large, malformed, refuses the conversation, takes too long or makes too much.
pub(super) fn render(source: &str, values: Value) -> Result<String, String> {
    if source.len() > MAX_TEMPLATE_BYTES {
        return Err(format!("it has {} bytes, more than {MAX_TEMPLATE_BYTES}", source.len()));
    }
    // As Jinja2's lexer does.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = tags::replace(&source, MAX_TAG_BYTES)?;
    guard::on_large_stack(|| expand(&source, values).map_err(|e| e.to_string()))?
}

fn expand(source: &str, values: Value) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("tojson", super::tojson::filter);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.set_fuel(Some(FUEL));
    let mut text = Limited(Vec::new());
    environment.template_from_str(source)?.render_captured_to(values, &mut text)?;
    Ok(String::from_utf8_lossy(&text.0).into_owned())
}

/// How a template refuses a conversation.
fn raise_exception(message: String, _: Kwargs) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, format!("the template says: {message}")))
}

/// The local time, as Python's `strftime` writes it.
fn strftime_now(format: &str) -> Result<String, Error> {
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if items.contains(&Item::Error) {
        let message = format!("strftime_now cannot write `{format}`");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    Ok(chrono::Local::now().format_with_items(items.into_iter()).to_string())
}

/// Collects a rendered prompt and refuses one that no model could read.
struct Limited(Vec<u8>);

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PROMPT_BYTES {
            return Err(std::io::Error::other(format!("the prompt exceeds {MAX_PROMPT_BYTES} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
