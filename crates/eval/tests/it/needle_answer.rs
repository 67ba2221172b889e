//! When a free-form answer to a needle question is right.

use longsight_eval::needle::is_right;
use longsight_world::{NeedleRow, NeedleSettings, needles};

fn needle(answer: &str, candidates: &[&str]) -> NeedleRow {
    let drawn = needles(&NeedleSettings { needles: 1, ..Default::default() }).unwrap().remove(0).row;
    NeedleRow {
        answer: answer.into(),
        candidates: candidates.iter().map(|text| (*text).to_owned()).collect(),
        ..drawn
    }
}

#[test]
fn choices() {
    let card = needle("B", &["star", "ring", "heart", "cross"]);
    for right in
        ["B", "B.", " (B) ", "The answer is B. ring", "B. ring", "ring", "It is a Ring!", "the ring."]
    {
        assert!(is_right(right, &card), "{right:?}");
    }
    for wrong in ["", "A", "C. ring", "heart", "a ring or a heart", "rings", "string", "none of these", "E"] {
        assert!(!is_right(wrong, &card), "{wrong:?}");
    }
}

/// Numbers are whole words: 1 is not in 12.
#[test]
fn choices_among_numbers() {
    let card = needle("C", &["12", "2", "1", "21"]);
    assert!(is_right("1", &card) && is_right("number 1.", &card) && is_right("C", &card));
    for wrong in ["12", "2", "21", "1 2", "11"] {
        assert!(!is_right(wrong, &card), "{wrong:?}");
    }
}

#[test]
fn short_answers() {
    let card = needle("red", &[]);
    for right in ["red", "Red.", "The plate is RED", "red\n", "\"red\""] {
        assert!(is_right(right, &card), "{right:?}");
    }
    for wrong in ["", "reddish", "blue", "a", "re d", "r"] {
        assert!(!is_right(wrong, &card), "{wrong:?}");
    }
    assert!(is_right("It shows 7", &needle("7", &[])) && !is_right("It shows 70", &needle("7", &[])));
}
