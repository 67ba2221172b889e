//! A cue's words, without what players take for formatting.

/// A tag is not longer than this.
const MAX_TAG_CHARS: usize = 512;

/// SubRip's line: without tags and override codes.
pub(super) fn of_subrip(line: &str) -> String {
    single_spaced(&without_tags(line).replace("\\h", " "))
}

/// WebVTT's line: without tags, entities as characters.
pub(super) fn of_webvtt(line: &str) -> String {
    single_spaced(&decode_entities(&without_tags(line)))
}

/// Runs of white space as one space, none at the ends.
pub(super) fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_tags(line: &str) -> String {
    let text = strip_spans(line, '<', '>', |first| first.is_alphanumeric() || first == '/');
    strip_spans(&text, '{', '}', |first| first == '\\')
}

/// Removes `open ... close` where the character after `open` makes it a tag; `a < b` stays.
fn strip_spans(text: &str, open: char, close: char, begins_tag: fn(char) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find(open) {
        let (before, from_open) = rest.split_at(position);
        kept.push_str(before);
        let inner = &from_open[open.len_utf8()..];
        // A limit, so that a file full of unclosed tags is not searched to its end for each of them.
        let mut tag = inner.char_indices().take(MAX_TAG_CHARS);
        let end = if inner.starts_with(begins_tag) { tag.find(|&(_, c)| c == close) } else { None };
        match end {
            Some((end, _)) => rest = &inner[end + close.len_utf8()..],
            None => {
                kept.push(open);
                rest = inner;
            }
        }
    }
    kept + rest
}

fn decode_entities(text: &str) -> String {
    let named =
        [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'")];
    let directions = [("&lrm;", ""), ("&rlm;", "")];
    let decoded = named
        .iter()
        .chain(&directions)
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    decoded.replace("&amp;", "&")
}
