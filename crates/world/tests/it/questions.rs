//! Every answer follows from the truth: derived again here from the question's words alone.

use crate::tiny;
use longsight_world::{
    CANDIDATES, Card, Colour, Form, Question, QuestionKind, QuestionPlan, Range, Shape, Stage, VideoScript,
    WorldSettings, questions,
};
use std::collections::{BTreeMap, BTreeSet};

fn script(seed: u64, stage: Stage, cards: u32) -> VideoScript {
    let settings = WorldSettings {
        stage,
        cards: Range::new(cards.min(1), cards),
        duration_secs: Range::new(20.0, 60.0),
        ..tiny()
    };
    VideoScript::new(seed, &settings).unwrap()
}

fn ask(script: &VideoScript, form: Form, count: u32, asked_before: u64) -> Vec<Question> {
    questions(script, &QuestionPlan { seed: 11, count, kinds: QuestionKind::ALL, form, asked_before })
}

fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn contains(text: &str, part: &str) -> bool {
    words(text).windows(words(part).len()).any(|window| window == words(part))
}

/// Whether words such as "red star", "7" or "yellow plate" are true of a card.
fn fits(words: &str, card: &Card) -> bool {
    if words.chars().any(|letter| letter.is_ascii_digit()) {
        return contains(words, &card.number.to_string());
    }
    let plate = ["plate", "card"].iter().any(|noun| contains(words, &format!("{} {noun}", card.plate)));
    plate || contains(words, &format!("{} {}", card.shape_colour, card.shape))
}

fn fitting(words: &str, script: &VideoScript) -> Vec<usize> {
    (0..script.cards.len()).filter(|&index| fits(words, &script.cards[index].card)).collect()
}

/// The one card that a question names.
fn the_card(question: &Question, script: &VideoScript) -> usize {
    let found = fitting(&question.question, script);
    assert_eq!(found.len(), 1, "{question:?} names {found:?}");
    found[0]
}

/// All answers that are right, by the words alone.
fn derive(question: &Question, script: &VideoScript) -> Vec<String> {
    let text = &question.question;
    let says = |word: &str| contains(text, word);
    let card = |index: usize| &script.cards[index].card;
    // What is compared: all numbers or all coloured shapes.
    let answer_of = |index: usize| match says("number") || says("numbers") {
        true => card(index).number.to_string(),
        false => format!("{} {}", card(index).shape_colour, card(index).shape),
    };
    match question.kind {
        QuestionKind::Which => {
            let card = card(the_card(question, script));
            if says("background") || says("plate of") || says("has a plate") {
                vec![card.plate.to_string()]
            } else if says("colour") || says("color") {
                vec![card.shape_colour.to_string()]
            } else {
                vec![card.shape.to_string()]
            }
        }
        QuestionKind::WhatNumber => vec![card(the_card(question, script)).number.to_string()],
        QuestionKind::IsThere if question.gold.is_none() => {
            vec![if fitting(text, script).is_empty() { "no" } else { "yes" }.into()]
        }
        QuestionKind::IsThere => question
            .candidates
            .iter()
            .filter(|candidate| !fitting(candidate, script).is_empty())
            .cloned()
            .collect(),
        QuestionKind::First => {
            let compared: Vec<usize> = match question.gold {
                Some(_) => {
                    question.candidates.iter().flat_map(|candidate| fitting(candidate, script)).collect()
                }
                None => (0..script.cards.len()).filter(|&index| contains(text, &answer_of(index))).collect(),
            };
            assert!(compared.len() >= 2, "{question:?}");
            vec![answer_of(
                compared.into_iter().min_by_key(|&index| script.cards[index].first_frame).unwrap(),
            )]
        }
        QuestionKind::Next => {
            let named = the_card(question, script);
            let next = card(named + 1);
            // What is asked for comes before what is named.
            let asks_number = says("which number") || says("what is the number");
            vec![if asks_number {
                next.number.to_string()
            } else {
                format!("{} {}", next.shape_colour, next.shape)
            }]
        }
        QuestionKind::HowMany => {
            let named_shape = Shape::ALL.iter().find(|shape| says(shape.name()));
            let named_colour = Colour::ALL.iter().find(|colour| says(colour.name()));
            let counted = script.cards.iter().map(|shown| shown.card).filter(|card| {
                match (named_shape, named_colour) {
                    (Some(&shape), _) => card.shape == shape,
                    (_, Some(&colour)) if says("plate") || says("plates") => card.plate == colour,
                    (_, Some(&colour)) => card.shape_colour == colour,
                    _ => true,
                }
            });
            vec![counted.count().to_string()]
        }
        QuestionKind::When => {
            let shown = &script.cards[the_card(question, script)];
            let thirds = [shown.from_secs, shown.to_secs - 1e-6]
                .map(|secs| (3.0 * secs / script.duration_secs) as usize);
            assert_eq!(thirds[0], thirds[1], "{question:?} spans two parts");
            let part = thirds[0];
            let phrases = ["at the beginning", "in the middle", "at the end"];
            vec![
                if question.gold.is_some() { phrases[part] } else { ["beginning", "middle", "end"][part] }
                    .into(),
            ]
        }
        QuestionKind::Describe => {
            let full = |card: &Card| {
                let a = |colour: Colour| if colour == Colour::Orange { "an" } else { "a" };
                let Card { plate, shape, shape_colour, number } = card;
                format!(
                    "{} {shape_colour} {shape} with the number {number} on {} {plate} plate",
                    a(*shape_colour),
                    a(*plate)
                )
            };
            let all: Vec<_> = script.cards.iter().map(|shown| full(&shown.card)).collect();
            vec![all.join(", then ")]
        }
    }
}

#[test]
fn gold_answers_follow_from_the_truth() {
    let mut seen: BTreeMap<(QuestionKind, bool), usize> = BTreeMap::new();
    for seed in 0..150 {
        for (stage, form) in
            [(Stage::One, Form::OpenEnded), (Stage::Two, Form::MultipleChoice), (Stage::Two, Form::Mixed)]
        {
            let script = script(seed, stage, 9);
            for question in ask(&script, form, 16, 0) {
                let right = derive(&question, &script);
                assert_eq!(right.len(), 1, "{question:?}: {right:?}");
                assert_eq!(question.answers[0], right[0], "{question:?}");
                check_form(&question, &script);
                *seen.entry((question.kind, question.gold.is_some())).or_default() += 1;
            }
        }
    }
    for &kind in QuestionKind::ALL {
        for choice in [false, true] {
            let expected = !(choice && kind == QuestionKind::Describe);
            assert_eq!(
                seen.contains_key(&(kind, choice)),
                expected,
                "{kind} with candidates: {choice}; {seen:?}"
            );
        }
    }
}

fn check_form(question: &Question, script: &VideoScript) {
    assert!(question.question.ends_with(['?', '.']) && !question.question.contains("{}"), "{question:?}");
    assert!(question.question.starts_with(char::is_uppercase), "{question:?}");
    assert!(!question.question.contains(" a orange") && !question.question.contains(" an r"), "{question:?}");
    if let Some(gold) = question.gold {
        assert_eq!(question.candidates.len(), CANDIDATES, "{question:?}");
        assert_eq!(question.candidates.iter().collect::<BTreeSet<_>>().len(), CANDIDATES, "{question:?}");
        assert_eq!(question.candidates[gold], question.answers[0]);
        assert_eq!(question.answers.len(), 1);
    } else {
        assert!(question.candidates.is_empty());
    }
    let times: Vec<_> = question
        .cards
        .iter()
        .map(|&card| [script.cards[card].from_secs, script.cards[card].to_secs])
        .collect();
    assert_eq!(question.times_secs, times);
}

#[test]
fn mixed_questions_come_in_both_forms_for_any_number_of_kinds() {
    let script = script(3, Stage::Two, 8);
    for count in 1..=QuestionKind::MULTIPLE_CHOICE.len() {
        let kinds = &QuestionKind::MULTIPLE_CHOICE[..count];
        let plan =
            QuestionPlan { seed: 1, count: 2 * count as u32, kinds, form: Form::Mixed, asked_before: 0 };
        let asked: BTreeSet<_> = questions(&script, &plan)
            .iter()
            .map(|question| (question.kind, question.gold.is_some()))
            .collect();
        assert_eq!(asked.len(), 2 * count, "{asked:?}");
    }
}

#[test]
fn right_candidates_are_balanced_over_a_world() {
    let (mut places, mut asked) = ([0usize; CANDIDATES], 0);
    for seed in 0..100 {
        for question in ask(&script(seed, Stage::Two, 8), Form::MultipleChoice, 3, asked) {
            places[question.gold.unwrap()] += 1;
            asked += 1;
        }
    }
    assert_eq!(asked, 300);
    assert_eq!(places, [75; CANDIDATES]);
}

#[test]
fn wording_varies_and_questions_do_not_repeat() {
    let mut openings: BTreeMap<QuestionKind, BTreeSet<String>> = BTreeMap::new();
    for seed in 0..60 {
        let asked = ask(&script(seed, Stage::Two, 8), Form::Mixed, 24, 0);
        assert!(asked.len() >= 20, "seed {seed}: {} questions", asked.len());
        for (i, question) in asked.iter().enumerate() {
            let twin = |other: &Question| {
                (&other.question, &other.answers, other.gold.is_some())
                    == (&question.question, &question.answers, question.gold.is_some())
            };
            assert!(!asked[..i].iter().any(twin), "{question:?} twice");
            let opening = words(&question.question).into_iter().take(3).collect::<Vec<_>>().join(" ");
            openings.entry(question.kind).or_default().insert(opening);
        }
    }
    for (kind, openings) in openings {
        assert!(openings.len() >= 2, "{kind}: {openings:?}");
    }
}

#[test]
fn counts_reach_six_and_yes_and_no_are_both_frequent() {
    let (mut counts, mut yes, mut no) = (BTreeSet::new(), 0, 0);
    for seed in 0..200 {
        let script = script(seed, Stage::Two, 8);
        let plan = QuestionPlan {
            seed: 1,
            count: 4,
            kinds: &[QuestionKind::HowMany, QuestionKind::IsThere],
            form: Form::OpenEnded,
            asked_before: 0,
        };
        for question in questions(&script, &plan) {
            match question.answers[0].as_str() {
                "yes" => yes += 1,
                "no" => no += 1,
                count => drop(counts.insert(count.parse::<u32>().unwrap())),
            }
        }
    }
    assert!((1..=6).all(|count| counts.contains(&count)), "{counts:?}");
    assert!((0.35..0.65).contains(&(f64::from(yes) / f64::from(yes + no))), "{yes} yes, {no} no");
}

#[test]
fn videos_with_few_cards_ask_what_they_can() {
    let none = script(1, Stage::One, 0);
    assert!(none.cards.is_empty());
    assert!(ask(&none, Form::MultipleChoice, 8, 0).is_empty());
    assert!(ask(&none, Form::OpenEnded, 8, 0).iter().all(|question| question.answers == ["no"]));
    for seed in 0..20 {
        let one = script(seed, Stage::One, 1);
        let asked = ask(&one, Form::Mixed, 8, 0);
        assert!(!asked.is_empty());
        assert!(
            asked.iter().all(|q| ![QuestionKind::First, QuestionKind::Next].contains(&q.kind)),
            "{asked:?}"
        );
    }
}
