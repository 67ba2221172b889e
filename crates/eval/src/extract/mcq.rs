//! E1: lmms-eval's shared multiple-choice extractor.

use super::{padded, python};

/// Announcements of an answer, in lower case.
const PHRASES: [&str; 27] = [
    "the answer is",
    "answer is",
    "the correct answer is",
    "correct answer is",
    "the best answer is",
    "best answer is",
    "the correct option is",
    "correct option is",
    "the best option is",
    "best option is",
    "the choice is",
    "choice is",
    "the correct choice is",
    "correct choice is",
    "i choose",
    "i select",
    "i pick",
    "my answer is",
    "my choice is",
    "옵션",
    "정답은",
    "답은",
    "답:",
    "答案是",
    "答案为",
    "选",
    "答えは",
];

/// Rank, then place in the text, then letter: the greatest is the answer. Places are in bytes, which order as code
/// points do.
type Candidate = (u8, usize, char);

/// E1: the best-ranked, then last, of `letters` in the response (`"ABCD"` in every task).
pub fn mcq(response: &str, letters: &str) -> Option<char> {
    if python::trim(response).is_empty() {
        return None;
    }
    let text = padded(response, ",.!?;:'\"");
    let announced = phrase_ends(&text);
    let best = letters.chars().flat_map(|letter| candidates(&text, &announced, letter)).max();
    let anywhere = || letters.chars().filter_map(|letter| Some((0, text.rfind(letter)?, letter))).max();
    best.or_else(anywhere).map(|(_, _, letter)| letter)
}

fn candidates(text: &str, announced: &[usize], letter: char) -> Vec<Candidate> {
    let marks = [(6, ["(", ")"]), (5, ["", "."]), (4, ["", ":"]), (3, ["", ")"]), (2, ["", " "])];
    let mut found: Vec<Candidate> = marks
        .into_iter()
        .filter_map(|(rank, [before, after])| {
            Some((rank, text.rfind(&format!("{before}{letter}{after}"))?, letter))
        })
        .collect();
    found.extend(announced.iter().filter_map(|&from| Some((7, from + text[from..].find(letter)?, letter))));

    let inner = python::trim(text);
    let is_apart = |neighbour: Option<char>| !neighbour.is_some_and(python::is_letter);
    if inner.strip_prefix(letter).is_some_and(|rest| is_apart(rest.chars().next())) {
        found.push((10, 0, letter));
    }
    if inner.strip_suffix(letter).is_some_and(|rest| is_apart(rest.chars().next_back())) {
        found.push((9, text.len(), letter));
    }
    found
}

/// Where the first occurrence of each phrase ends. It is sought in the lower-case text and counted there in code
/// points, which then count in the text itself, even where lower case changed the length: as the original does.
fn phrase_ends(text: &str) -> Vec<usize> {
    let lower = text.to_lowercase();
    let in_text = |end: usize| text.char_indices().nth(lower[..end].chars().count()).map(|(at, _)| at);
    PHRASES.iter().filter_map(|phrase| in_text(lower.find(phrase)? + phrase.len())).collect()
}
