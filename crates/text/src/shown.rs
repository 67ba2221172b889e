//! What people typed, and what files hold, in messages and on terminals.

/// Most characters of an input that a message repeats.
pub const MAX_SHOWN_CHARS: usize = 200;

/// `text` on one line: every control character is written as an escape (`\n`, `\u{1b}`), since it could move a terminal's
/// cursor, change its title or forge a line; so are the characters that turn the direction of writing.
pub fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// Like [`escaped`], but line feeds stay: a table, a report for a terminal.
pub fn escaped_lines(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// Like [`escaped`], and cut to [`MAX_SHOWN_CHARS`] characters; the end of a longer text stays, since file names differ
/// there.
pub fn shown(text: &str) -> String {
    const HEAD_CHARS: usize = MAX_SHOWN_CHARS / 2;
    let line = escaped(text);
    let chars = line.chars().count();
    if chars <= MAX_SHOWN_CHARS {
        return line;
    }
    let head = line.chars().take(HEAD_CHARS);
    let tail = line.chars().skip(chars - (MAX_SHOWN_CHARS - HEAD_CHARS - 1));
    head.chain(['…']).chain(tail).collect()
}

/// A sentence of ours with parts of an input in it, on one line. A long one, which repeats more than it should, is cut to
/// [`MAX_SHOWN_CHARS`] characters.
pub fn sentence(text: &str) -> String {
    /// Ours are shorter, and have at least forty characters of their own.
    const MAX_CHARS: usize = MAX_SHOWN_CHARS + 40;
    let line = escaped(text);
    if line.chars().count() > MAX_CHARS { shown(&line) } else { line }
}

fn is_unsafe(c: char) -> bool {
    let turns_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_direction || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_words_stay() {
        assert_eq!(escaped("a\u{1b}[2Jb\r\nc\u{9b}\u{202e}é"), "a\\u{1b}[2Jb\\r\\nc\\u{9b}\\u{202e}é");
        assert_eq!(escaped_lines("a\tb\nc\u{7}"), "a\\tb\nc\\u{7}");
    }

    #[test]
    fn at_most_200_characters_are_repeated_and_both_ends_stay() {
        for length in [0, 1, 100, 199, 200] {
            let text = "é".repeat(length);
            assert_eq!(shown(&text), text);
        }
        for length in [201, 202, 5000] {
            let cut = shown(&format!("a{}z", "é".repeat(length - 2)));
            assert_eq!(cut.chars().count(), 200, "{length}");
            assert!(cut.starts_with("aé") && cut.ends_with("éz") && cut.contains('…'));
        }
        assert_eq!(shown(&"\n".repeat(300)).chars().count(), 200);
    }
}
