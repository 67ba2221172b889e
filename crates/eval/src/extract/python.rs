//! Text as Python's `str` methods see it: what they call a space, a letter or printable is not what Rust does.
//! Every Python carries a version of Unicode: characters assigned since then (3.11: Unicode 14) may differ.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// `str.isspace` of one character: Unicode's White_Space and the four information separators.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// `str.strip()`.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `str.rstrip()`.
pub(crate) fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// `len(str.split())`.
pub(crate) fn count_words(text: &str) -> usize {
    text.split(is_space).filter(|word| !word.is_empty()).count()
}

/// `str.isalpha` of one character: categories L*. Rust's `is_alphabetic` also takes marks and circled letters.
pub(crate) fn is_letter(c: char) -> bool {
    use Category::{LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter};
    matches!(
        get_general_category(c),
        LowercaseLetter | ModifierLetter | OtherLetter | TitlecaseLetter | UppercaseLetter
    )
}

/// `str.isprintable` of one character: not in C* or Z*, but for the space.
pub(crate) fn is_printable(c: char) -> bool {
    use Category::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate, Unassigned,
    };
    c == ' '
        || !matches!(
            get_general_category(c),
            Control
                | Format
                | LineSeparator
                | ParagraphSeparator
                | PrivateUse
                | SpaceSeparator
                | Surrogate
                | Unassigned
        )
}
