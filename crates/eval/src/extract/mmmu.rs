//! E4: the oldest LongVideoBench extractor, after MMMU's.

use super::{choices, padded, python};

/// A mark around a letter that makes it a candidate, and the mark by whose last place candidates are compared.
const RULES: [[(&str, &str); 2]; 3] =
    [[("(", ")"), ("(", ")")], [("", " "), (" ", " ")], [("", "."), (" ", " ")]];

/// The option that the response names; None where the original draws one at random.
///
/// The first rule with a hit gives the candidates; at last, long responses may hold an option's text.
pub(super) fn choose(response: &str, options: &[String]) -> Option<char> {
    let text = padded(response, ",.!?;:'");
    let marked =
        |letter: char, (before, after): (&str, &str)| text.rfind(&format!("{before}{letter}{after}"));
    let by_letter = RULES.into_iter().find_map(|[hit, place]| {
        let letters = choices(options).map(|(letter, _)| letter);
        latest(
            letters
                .filter(|&letter| marked(letter, hit).is_some())
                .map(|letter| (letter, marked(letter, place))),
        )
    });
    by_letter.or_else(|| {
        if python::count_words(&text) <= 5 {
            return None;
        }
        let lower = text.to_lowercase();
        let named = choices(options).map(|(letter, option)| (letter, lower.rfind(&option.to_lowercase())));
        latest(named.filter(|(_, place)| place.is_some()))
    })
}

/// The letter with the greatest place, the earliest on a tie; having none is less than any.
fn latest(candidates: impl Iterator<Item = (char, Option<usize>)>) -> Option<char> {
    candidates.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(letter, _)| letter)
}
