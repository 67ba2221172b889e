//! What clients say, for people to read: no characters that do more than show, and not too many.

/// Characters of a request that a message repeats.
const MOST_ECHOED: usize = 200;

/// What a request says, for a message: no characters that do more than show, and not too many.
pub(crate) fn echo(text: &str) -> String {
    escaped(text, MOST_ECHOED)
}

/// At most `most` characters of `text`, those that would steer a terminal or turn the reading direction escaped.
pub(crate) fn escaped(text: &str, most: usize) -> String {
    let steers = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns
    };
    let mut shown = String::new();
    let mut characters = 0;
    for c in text.chars() {
        let piece: String = if steers(c) { c.escape_default().collect() } else { c.into() };
        characters += piece.chars().count();
        if characters > most {
            shown.push('\u{2026}');
            break;
        }
        shown.push_str(&piece);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_repeated_and_steers_no_terminal() {
        assert_eq!(echo("a\u{1b}[2J\n\u{202e}b"), "a\\u{1b}[2J\\n\\u{202e}b");
        assert_eq!(echo(&"\u{e9}".repeat(200)).chars().count(), 200);
        assert_eq!(echo(&"\u{e9}".repeat(201)).chars().count(), 201, "the last one says that there is more");
        assert!(echo(&"\n".repeat(1000)).chars().count() <= 201);
    }
}
