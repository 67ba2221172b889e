//! Letters out of responses, as each version of the public harnesses reads them; and answers in words.

mod letter;
mod mcq;
mod mmmu;
pub(crate) mod python;

pub use mcq::mcq;

use crate::task::Extractor;

/// What `extractor` reads off a response: a letter, or `""` where it finds none.
///
/// Only the two `Paren` extractors can return something longer or other than a letter ([`is_letter`] tells): they take
/// what stands before a parenthesis, and everything where there is none. [`Extractor::Words`] gives the whole response in
/// lower case, without white space and a full stop at its end; an accepted answer as the usual one; where that one is a
/// number, the last number said. `options` are the sample's, as published; only [`Extractor::Mmmu`] and
/// [`Extractor::Words`] look at them. Where lmms-eval would draw a random option for LongVideoBench, this is `""`.
pub fn extract(extractor: Extractor, response: &str, options: &[String]) -> String {
    match extractor {
        Extractor::Mcq => found(mcq(response, "ABCD")),
        Extractor::LetterLegacy => found(letter::first(response, &letter::LEGACY)),
        Extractor::LetterOfficial => found(letter::first(response, &letter::OFFICIAL)),
        Extractor::LetterLvb => found(letter::first(response, &letter::LVB)),
        Extractor::Paren => before_parenthesis(python::trim(response)),
        Extractor::ParenUntrimmed => before_parenthesis(response),
        Extractor::Mmmu => found(mmmu::choose(response, options)),
        Extractor::Words => in_words(response, options),
    }
}

/// Whether `prediction` could have been right: a letter, or any words where words are asked for.
pub fn is_found(extractor: Extractor, prediction: &str) -> bool {
    if extractor == Extractor::Words { !prediction.is_empty() } else { is_letter(prediction) }
}

/// The usual one of the accepted answers where any of them is said, or where that is a number and the last one said.
fn in_words(response: &str, accepted: &[String]) -> String {
    let said = response.trim().trim_end_matches('.').to_lowercase();
    let Some(usual) = accepted.first() else { return said };
    if accepted.iter().any(|answer| answer.to_lowercase() == said) {
        return usual.clone();
    }
    if is_number(usual) { last_number(&said).unwrap_or(said) } else { said }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// "2" of "7 star: 1, 12 ring: 1, 3 star: 2. So 2": whoever thinks aloud ends with the answer.
fn last_number(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_alphanumeric()).rfind(|word| is_number(word)).map(str::to_owned)
}

/// Whether a prediction is one letter A to Z: whether anything was found that could have been right.
pub fn is_letter(prediction: &str) -> bool {
    matches!(prediction.as_bytes(), [b'A'..=b'Z'])
}

/// LongVideoBench's options with their letters: those before the first `N/A`.
pub(crate) fn choices(options: &[String]) -> impl Iterator<Item = (char, &str)> {
    ('A'..='Z').zip(options.iter().map(String::as_str).take_while(|option| *option != "N/A"))
}

fn found(letter: Option<char>) -> String {
    letter.map(String::from).unwrap_or_default()
}

/// E3: the character before the first `)`; all of it without one.
fn before_parenthesis(text: &str) -> String {
    match text.split_once(')') {
        Some((before, _)) => found(before.chars().next_back()),
        None => text.to_owned(),
    }
}

/// What E1 and E4 look through: trimmed, repeats of each edge character removed from both ends in turn, a space at
/// each end.
fn padded(response: &str, edges: &str) -> String {
    let text = edges.chars().fold(python::trim(response), |text, edge| text.trim_matches(edge));
    format!(" {text} ")
}
