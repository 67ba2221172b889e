//! Tags of chat templates that the template library reads otherwise than transformers: `{% generation %}` and
//! `{% endgeneration %}`, its marks for training masks, and `{% raw %}` before a line feed.

/// `source` with each mark as a `with` block, which does what the mark does outside training: nothing but a scope of its own,
/// under the same rules for the white space around it. Comments, strings and raw blocks stay as they are, except that a line
/// feed after `{% raw %}` is doubled: Jinja2 keeps it, the library takes one away as after every block tag.
///
/// # Errors
/// A tag of more than `max_tag_bytes` bytes, strings left out.
pub(super) fn replace(source: &str, max_tag_bytes: usize) -> Result<String, String> {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut raw = false;
    while let Some(start) = rest.find("{%").into_iter().chain(rest.find("{{")).chain(rest.find("{#")).min() {
        let (text, tag) = rest.split_at(start);
        out.push_str(text);
        let length = match &tag[..2] {
            "{%" => tag_length(tag, "%}", max_tag_bytes)?,
            _ if raw => 2,
            "{{" => tag_length(tag, "}}", max_tag_bytes)?,
            _ => tag.find("#}").map_or(tag.len(), |end| end + 2),
        };
        let (tag, after) = tag.split_at(length);
        match word(tag) {
            "endraw" => raw = false,
            _ if raw => {}
            "raw" => raw = true,
            "generation" | "endgeneration" => {
                out.push_str(&tag.replacen("generation", "with", 1));
                rest = after;
                continue;
            }
            _ => {}
        }
        out.push_str(tag);
        if word(tag) == "raw" && !tag.ends_with("-%}") && after.starts_with('\n') {
            out.push('\n');
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The first word of a block tag.
fn word(tag: &str) -> &str {
    let Some(inner) = tag.strip_prefix("{%").and_then(|tag| tag.strip_suffix("%}")) else { return "" };
    let inner = inner.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
    inner.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Bytes up to and with `close`, outside strings; all where it is not closed, which rendering names.
fn tag_length(tag: &str, close: &str, max_bytes: usize) -> Result<usize, String> {
    let (mut quote, mut escaped, mut outside) = (None, false, 0);
    for (at, c) in tag.char_indices().skip(2) {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if tag[at..].starts_with(close) => return Ok(at + close.len()),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => outside += 1,
        }
        if outside > max_bytes {
            return Err(format!("a tag has more than {max_bytes} bytes"));
        }
    }
    Ok(tag.len())
}
