//! Python's `repr` of a list of strings, which older prompts contain.

use crate::extract::python::is_printable;

/// `str([...])`: `['A. Red.', "B. It's blue."]`.
pub fn list_literal(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| string_literal(item)).collect();
    format!("[{}]", items.join(", "))
}

/// Single quotes, unless there are some inside and no double ones.
fn string_literal(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push(quote);
    for c in text.chars() {
        match c {
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c if c == quote => literal.extend(['\\', c]),
            c if is_printable(c) => literal.push(c),
            c => literal.push_str(&escape(c.into())),
        }
    }
    literal.push(quote);
    literal
}

fn escape(code_point: u32) -> String {
    match code_point {
        0..=0xff => format!("\\x{code_point:02x}"),
        0x100..=0xffff => format!("\\u{code_point:04x}"),
        _ => format!("\\U{code_point:08x}"),
    }
}
