//! Extractors against the reference functions' answers, and on anything.

use longsight_eval::Extractor;
use longsight_eval::extract::{extract, is_found, is_letter, mcq};
use proptest::prelude::*;
use serde_json::Value;

const ALL: [Extractor; 7] = [
    Extractor::Mcq,
    Extractor::LetterLegacy,
    Extractor::LetterOfficial,
    Extractor::LetterLvb,
    Extractor::Paren,
    Extractor::ParenUntrimmed,
    Extractor::Mmmu,
];

fn options(letters_to_texts: &Value) -> Vec<String> {
    letters_to_texts.as_object().unwrap().values().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[test]
fn equal_the_reference_functions() {
    let golden: Value = serde_json::from_str(include_str!("../golden/extraction_vectors.json")).unwrap();
    let options = options(&golden["lvb_legacy_options"]);
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 100);
    for case in cases {
        let response = case["response"].as_str().unwrap();
        for (extractor, column) in [
            (Extractor::Mcq, "mcq_abcd"),
            (Extractor::LetterLegacy, "videomme_legacy"),
            (Extractor::LetterOfficial, "videomme_official"),
            (Extractor::LetterLvb, "lvb"),
            (Extractor::Paren, "mlvu_paren"),
            (Extractor::Mmmu, "lvb_legacy"),
        ] {
            let expected = case[column].as_str().unwrap_or("");
            assert_eq!(extract(extractor, response, &options), expected, "{column}: {response:?}");
        }
        let of_six = mcq(response, "ABCDEF").map(String::from).unwrap_or_default();
        assert_eq!(of_six, case["mcq_abcdef"], "{response:?}");
    }
}

#[test]
fn official_mlvu_does_not_trim() {
    let golden: Value = serde_json::from_str(include_str!("../golden/mlvu_prompts.json")).unwrap();
    for doc in golden.as_array().unwrap() {
        let gold = &doc["official_gold"].as_str().unwrap()[1..2];
        for check in doc["official_checks"].as_array().unwrap() {
            let prediction = extract(Extractor::ParenUntrimmed, check["pred"].as_str().unwrap(), &[]);
            assert_eq!(prediction == gold, check["correct"].as_bool().unwrap(), "{check}");
        }
    }
    assert_eq!(extract(Extractor::ParenUntrimmed, " B) ", &[]), "B");
    assert_eq!(extract(Extractor::ParenUntrimmed, " B", &[]), " B");
}

#[test]
fn options_behind_an_absent_one_cannot_be_chosen() {
    let options = ["a red kite", "N/A", "a blue boat"].map(String::from);
    assert_eq!(extract(Extractor::Mmmu, "I am certain it must be a blue boat", &options), "");
    assert_eq!(extract(Extractor::Mmmu, "(C)", &options), "");
    assert_eq!(extract(Extractor::Mmmu, "(A)", &options), "A");
    assert_eq!(extract(Extractor::Mmmu, "(A)", &[]), "");
}

#[test]
fn words_are_right_when_any_accepted_answer_is_all_that_is_said() {
    let four = ["4", "four"].map(String::from);
    for (response, expected) in [
        (" Four. ", "4"),
        ("4", "4"),
        ("four or five", "four or five"),
        ("FIVE", "five"),
        ("7 star: 3, 12 ring: 3, 40 star: 4. So 4.", "4"),
        ("There are 4 or 5", "5"),
        ("4x", "4x"),
        (" . ", ""),
        ("", ""),
    ] {
        assert_eq!(extract(Extractor::Words, response, &four), expected, "{response:?}");
        assert_eq!(is_found(Extractor::Words, expected), !expected.is_empty());
    }
    let one = ["red"].map(String::from);
    assert_eq!(extract(Extractor::Words, "1 red", &one), "1 red", "words are not looked for inside");
    assert!(!is_found(Extractor::Mcq, "four") && is_found(Extractor::Mcq, "D"));
}

#[test]
fn spaces_are_pythons() {
    for space in ['\u{1c}', '\u{1f}', '\u{85}', '\u{a0}', '\u{2028}', '\u{3000}'] {
        assert_eq!(extract(Extractor::Paren, &format!("{space}B{space}"), &[]), "B", "{space:?}");
    }
    for no_space in ['\u{200b}', '\u{180e}', '\u{feff}'] {
        assert_eq!(extract(Extractor::Paren, &format!("B{no_space}"), &[]), format!("B{no_space}"));
    }
}

/// Texts in which rules meet: letters, marks, phrases, and characters whose lower case has another length.
fn response() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-F]",
        "[ \\.:,;()'\"!?\n]{1,3}",
        Just("the answer is".to_owned()),
        Just("İ".to_owned()),
        Just("答案是".to_owned()),
        Just("Best option:".to_owned()),
        Just("a red kite".to_owned()),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn never_panic(response in response(), options in prop::collection::vec(any::<String>(), 0..40)) {
        for extractor in ALL {
            let prediction = extract(extractor, &response, &options);
            if !matches!(extractor, Extractor::Paren | Extractor::ParenUntrimmed) {
                prop_assert!(prediction.is_empty() || is_letter(&prediction));
            }
            prop_assert!(response.contains(&prediction) || extractor == Extractor::Mmmu);
        }
    }

    #[test]
    fn a_lone_letter_is_that_letter(letter in "[A-D]", mark in "[.]{0,2}|:{0,2}|!{0,2}|,{0,2}") {
        let options = ["a", "b", "c", "d"].map(|text| format!("{text}{text}"));
        for extractor in ALL.into_iter().filter(|one| !matches!(one, Extractor::Paren | Extractor::ParenUntrimmed)) {
            prop_assert_eq!(extract(extractor, &format!("{letter}{mark}"), &options), letter.clone());
        }
    }
}
