use crate::Extractor;
use crate::extract::extract;
use longsight_world::NeedleRow;

/// Whether a free-form answer names the right one: the letter (or the candidate's own words) of a choice, the answer's
/// word among the response's words otherwise. A choice answered in words must name one candidate only.
pub fn is_right(response: &str, needle: &NeedleRow) -> bool {
    if needle.candidates.is_empty() {
        return words(response).contains(&needle.answer.to_lowercase());
    }
    let letter = extract(Extractor::Mcq, response, &needle.candidates);
    if !letter.is_empty() {
        return letter == needle.answer;
    }
    let said = words(response);
    let named: Vec<usize> = (0..needle.candidates.len())
        .filter(|i| words(&needle.candidates[*i]).iter().all(|word| said.contains(word)))
        .collect();
    named.len() == 1 && named.first().copied() == "ABCDEFGH".find(&needle.answer)
}

/// Lower-case words: runs of letters and digits.
fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    split.map(str::to_lowercase).collect()
}
