//! Asking about one video: what every kind of question needs.

use super::QuestionKind;
use super::refer::{Key, article, coloured_shape, is_unique, number_word};
use crate::card::{Card, Colour, Shape};
use crate::random::Random;
use crate::script::VideoScript;

/// A question before its candidates are laid out.
pub(super) struct Draft {
    pub(super) text: String,
    /// The first is the usual one.
    pub(super) answers: Vec<String>,
    pub(super) cards: Vec<usize>,
    /// Wrong candidates, the most plausible first.
    pub(super) others: Vec<String>,
}

/// Asks about one video.
pub(super) struct Asker<'a> {
    pub(super) script: &'a VideoScript,
    pub(super) cards: Vec<Card>,
    pub(super) random: Random,
}

impl<'a> Asker<'a> {
    pub(super) fn new(script: &'a VideoScript, random: Random) -> Self {
        Self { script, cards: script.cards.iter().map(|shown| shown.card).collect(), random }
    }

    pub(super) fn times_secs(&self, card: usize) -> [f64; 2] {
        let shown = &self.script.cards[card];
        [shown.from_secs, shown.to_secs]
    }

    /// None where this video gives no such question, or this draw did not.
    pub(super) fn draft(&mut self, kind: QuestionKind, choice: bool) -> Option<Draft> {
        match kind {
            QuestionKind::Which => self.which(),
            QuestionKind::WhatNumber => self.what_number(),
            QuestionKind::IsThere if choice => self.which_is_there(),
            QuestionKind::IsThere => self.is_there(),
            QuestionKind::First => self.first(if choice { super::CANDIDATES } else { 2 }),
            QuestionKind::Next => self.next(),
            QuestionKind::HowMany => self.how_many(),
            QuestionKind::When => self.when(choice),
            QuestionKind::Describe if choice => None,
            QuestionKind::Describe => self.describe(),
        }
    }

    pub(super) fn any_card(&mut self) -> Option<usize> {
        (!self.cards.is_empty()).then(|| self.random.below(self.cards.len()))
    }

    /// One of the keys that picks out the card, in words.
    pub(super) fn phrase(&mut self, card: usize, keys: &[Key]) -> Option<String> {
        let card = self.cards[card];
        let unique: Vec<Key> =
            keys.iter().copied().filter(|&key| is_unique(key, &card, &self.cards)).collect();
        let key = *self.random.pick(&unique)?;
        Some(key.phrase(&card, &mut self.random))
    }

    /// Labels of the video's other cards, shuffled, then of cards that are not in it.
    pub(super) fn other_labels(&mut self, key: Key, except: &[usize]) -> Vec<String> {
        let mut present: Vec<String> = (0..self.cards.len())
            .filter(|index| !except.contains(index))
            .map(|index| key.label(&self.cards[index]))
            .collect();
        self.random.shuffle(&mut present);
        present.extend(self.absent_labels(key));
        let excepted: Vec<String> = except.iter().map(|&index| key.label(&self.cards[index])).collect();
        present.retain(|label| !excepted.contains(label));
        present
    }

    /// Labels that no card of the video has; those that mix two cards of the video first.
    pub(super) fn absent_labels(&mut self, key: Key) -> Vec<String> {
        let taken: Vec<String> = self.cards.iter().map(|card| key.label(card)).collect();
        let two_digits = self.cards.iter().any(|card| card.number > 9);
        let mut labels: Vec<String> = match key {
            Key::Number => {
                (if two_digits { 10..=99 } else { 0..=9_u8 }).map(|number| number.to_string()).collect()
            }
            Key::Plate => Colour::ALL.iter().map(|colour| format!("{colour} plate")).collect(),
            Key::ColouredShape => Shape::ALL
                .iter()
                .flat_map(|&shape| Colour::ALL.iter().map(move |&colour| coloured_shape(colour, shape)))
                .collect(),
        };
        self.random.shuffle(&mut labels);
        labels.retain(|label| !taken.contains(label));
        if key == Key::ColouredShape {
            let known = |label: &String| {
                let has = |word: String| label.split(' ').any(|part| part == word);
                self.cards.iter().any(|card| has(card.shape.to_string()))
                    && self.cards.iter().any(|card| has(card.shape_colour.to_string()))
            };
            labels.sort_by_key(|label| !known(label));
        }
        labels
    }
}

/// "3", and "three" where there is a word for it.
pub(super) fn number_answers(count: usize) -> Vec<String> {
    std::iter::once(count.to_string()).chain(number_word(count).map(str::to_owned)).collect()
}

/// Puts words into a sentence; the sentence begins with a capital.
pub(super) fn fill(sentence: &str, words: &str) -> String {
    let sentence = sentence.replace("{}", words);
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// As [`fill`], with "a" made "an" where it must be.
pub(super) fn with_article(sentence: &str, noun: &str) -> String {
    fill(&sentence.replace("a {}", &format!("{} {{}}", article(noun))), noun)
}
