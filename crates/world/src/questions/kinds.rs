//! One function a kind of question.

use super::QuestionKind;
use super::refer::{Key, article, coloured_shape, in_full, is_unique, number_word};
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
    script: &'a VideoScript,
    cards: Vec<Card>,
    random: Random,
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

    fn any_card(&mut self) -> Option<usize> {
        (!self.cards.is_empty()).then(|| self.random.below(self.cards.len()))
    }

    /// One of the keys that picks out the card, in words.
    fn phrase(&mut self, card: usize, keys: &[Key]) -> Option<String> {
        let card = self.cards[card];
        let unique: Vec<Key> =
            keys.iter().copied().filter(|&key| is_unique(key, &card, &self.cards)).collect();
        let key = *self.random.pick(&unique)?;
        Some(key.phrase(&card, &mut self.random))
    }

    /// Labels of the video's other cards, shuffled, then of cards that are not in it.
    fn other_labels(&mut self, key: Key, except: &[usize]) -> Vec<String> {
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
    fn absent_labels(&mut self, key: Key) -> Vec<String> {
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

    fn which(&mut self) -> Option<Draft> {
        let index = self.any_card()?;
        let card = self.cards[index];
        let what = self.random.below(3);
        let keys = if what == 2 { [Key::Number, Key::ColouredShape] } else { [Key::Number, Key::Plate] };
        let card_phrase = self.phrase(index, &keys)?;
        let (text, answer) = match what {
            0 => (
                self.random.of([
                    "Which shape is on {}?",
                    "What shape does {} show?",
                    "What is the shape on {}?",
                ]),
                card.shape.to_string(),
            ),
            1 => (
                self.random.of([
                    "What colour is the shape on {}?",
                    "Which color does the shape on {} have?",
                    "What is the colour of the shape on {}?",
                ]),
                card.shape_colour.to_string(),
            ),
            _ => (
                self.random.of([
                    "What colour is the plate of {}?",
                    "Which color is the background of {}?",
                    "{} has a plate of which colour?",
                ]),
                card.plate.to_string(),
            ),
        };
        let others = match what {
            0 => self.others_of(&answer, Shape::ALL, |card| card.shape.to_string()),
            1 => self.others_of(&answer, Colour::ALL, |card| card.shape_colour.to_string()),
            _ => self.others_of(&answer, Colour::ALL, |card| card.plate.to_string()),
        };
        Some(Draft { text: fill(text, &card_phrase), answers: vec![answer], cards: vec![index], others })
    }

    /// Other values of an attribute: those seen in the video first.
    fn others_of<T: ToString>(
        &mut self,
        answer: &str,
        all: &[T],
        of: impl Fn(&Card) -> String,
    ) -> Vec<String> {
        let mut seen: Vec<String> = self.cards.iter().map(of).collect();
        let mut rest: Vec<String> = all.iter().map(T::to_string).collect();
        self.random.shuffle(&mut seen);
        self.random.shuffle(&mut rest);
        seen.extend(rest);
        seen.retain(|value| value != answer);
        seen
    }

    fn what_number(&mut self) -> Option<Draft> {
        let index = self.any_card()?;
        let card_phrase = self.phrase(index, &[Key::ColouredShape, Key::Plate])?;
        let text = self.random.of([
            "What number is on {}?",
            "Which number does {} show?",
            "Which number can be read on {}?",
            "What is the number on {}?",
        ]);
        let number = usize::from(self.cards[index].number);
        let others = self.other_labels(Key::Number, &[index]);
        Some(Draft {
            text: fill(text, &card_phrase),
            answers: count_answers(number),
            cards: vec![index],
            others,
        })
    }

    fn is_there(&mut self) -> Option<Draft> {
        let key = self.random.of([Key::Number, Key::ColouredShape]);
        let there = self.random.chance(0.5);
        let (label, cards) = if there {
            let index = self.any_card()?;
            (key.label(&self.cards[index]), vec![index])
        } else {
            (self.absent_labels(key).first()?.clone(), Vec::new())
        };
        let noun = match key {
            Key::Number => format!("a card with the number {label}"),
            _ => format!("a card with {} {label}", article(&label)),
        };
        let text = self.random.of([
            "Is there {} in the video?",
            "Does {} appear in the video?",
            "Can {} be seen anywhere in the video?",
            "Does the video show {}?",
        ]);
        let answer = if there { "yes" } else { "no" };
        Some(Draft { text: fill(text, &noun), answers: vec![answer.into()], cards, others: Vec::new() })
    }

    fn which_is_there(&mut self) -> Option<Draft> {
        let key = self.random.of([Key::Number, Key::ColouredShape]);
        let index = self.any_card()?;
        let noun = if key == Key::Number { "number" } else { "coloured shape" };
        let text = self.random.of([
            "Which {} is on a card in the video?",
            "Which of these {}s appears on a card?",
            "There is a card with one of these in the video. Which {} is it?",
        ]);
        let answers = vec![key.label(&self.cards[index])];
        Some(Draft { text: fill(text, noun), answers, cards: vec![index], others: self.absent_labels(key) })
    }

    /// `count` cards are compared; cards that are not in the video fill up candidates.
    fn first(&mut self, count: usize) -> Option<Draft> {
        let mut indices: Vec<usize> = (0..self.cards.len()).collect();
        self.random.shuffle(&mut indices);
        let key = self.random.of([Key::Number, Key::ColouredShape]);
        let mut compared: Vec<usize> = indices.into_iter().take(count).collect();
        if compared.len() < 2 {
            return None;
        }
        let mentioned: Vec<String> = compared.iter().map(|&index| key.label(&self.cards[index])).collect();
        compared.sort_unstable();
        let answers = vec![key.label(&self.cards[compared[0]])];
        let noun = if key == Key::Number { "number" } else { "coloured shape" };
        let text = if count == 2 {
            let (a, b) = (&mentioned[0], &mentioned[1]);
            match self.random.below(3) {
                0 => format!("Which {noun} came first, {a} or {b}?"),
                1 => format!("Which {noun} is shown earlier in the video: {a} or {b}?"),
                _ => format!("What appears first on a card, the {noun} {a} or the {noun} {b}?"),
            }
        } else {
            let text = self.random.of([
                "Which of these {}s came first?",
                "Which {} is the first of these to appear in the video?",
                "Of these {}s, which is shown earliest?",
            ]);
            fill(text, noun)
        };
        let mut others: Vec<String> =
            mentioned.into_iter().filter(|label| !answers.contains(label)).collect();
        others.extend(self.absent_labels(key));
        Some(Draft { text, answers, cards: compared, others })
    }

    fn next(&mut self) -> Option<Draft> {
        let index = self.random.below(self.cards.len().checked_sub(1)?);
        if self.cards.len() < 2 {
            return None;
        }
        let card_phrase = self.phrase(index, &Key::ALL)?;
        let key = self.random.of([Key::Number, Key::ColouredShape]);
        let text = match key {
            Key::Number => self.random.of([
                "Which number comes right after {}?",
                "What is the number on the card that follows {}?",
                "After {}, which number is shown next?",
            ]),
            _ => self.random.of([
                "Which coloured shape comes right after {}?",
                "What shape, and in which colour, is on the card that follows {}?",
                "After {}, which coloured shape is shown next?",
            ]),
        };
        let answers = match key {
            Key::Number => count_answers(usize::from(self.cards[index + 1].number)),
            _ => vec![key.label(&self.cards[index + 1])],
        };
        let others = self.other_labels(key, &[index + 1, index]);
        Some(Draft { text: fill(text, &card_phrase), answers, cards: vec![index, index + 1], others })
    }

    fn how_many(&mut self) -> Option<Draft> {
        let index = self.any_card()?;
        let card = self.cards[index];
        let (text, counted): (String, Box<dyn Fn(&Card) -> bool>) = match self.random.below(6) {
            0 => {
                let texts = [
                    "How many cards are shown in the video?",
                    "How many cards appear in total?",
                    "Count the cards in the video. How many are there?",
                ];
                (self.random.of(texts).into(), Box::new(|_| true))
            }
            1 => {
                let text = self
                    .random
                    .of(["How many cards have a {} plate?", "How many {} plates are there in the video?"]);
                (
                    with_article(text, &card.plate.to_string()),
                    Box::new(move |other| other.plate == card.plate),
                )
            }
            2 => {
                let text = self
                    .random
                    .of(["How many cards have a {} shape on them?", "How many {} shapes are on cards?"]);
                let colour = card.shape_colour;
                (with_article(text, &colour.to_string()), Box::new(move |other| other.shape_colour == colour))
            }
            _ => {
                let text = self.random.of([
                    "How many cards show a {}?",
                    "How many cards with a {} are there in the video?",
                    "On how many cards is there a {}?",
                ]);
                (
                    with_article(text, &card.shape.to_string()),
                    Box::new(move |other| other.shape == card.shape),
                )
            }
        };
        let cards: Vec<usize> = (0..self.cards.len()).filter(|&index| counted(&self.cards[index])).collect();
        let count = cards.len();
        let mut others: Vec<usize> =
            (count.saturating_sub(2)..=count + 2).filter(|&other| other != count).collect();
        self.random.shuffle(&mut others);
        others.push(count + 3);
        let others = others.iter().map(usize::to_string).collect();
        Some(Draft { text, answers: count_answers(count), cards, others })
    }

    fn when(&mut self, choice: bool) -> Option<Draft> {
        let index = self.any_card()?;
        let shown = &self.script.cards[index];
        let third = |frame: u64| frame * 3 / self.script.frames.max(1);
        let part = third(shown.first_frame);
        if part != third(shown.last_frame) {
            return None;
        }
        let card_phrase = self.phrase(index, &Key::ALL)?;
        let text = if choice {
            self.random.of(["When does {} appear in the video?", "In which part of the video is {} shown?"])
        } else {
            self.random.of([
                "When does {} appear: at the beginning, in the middle or at the end of the video?",
                "Is {} shown at the beginning, in the middle or at the end?",
                "In which part of the video is {} shown: beginning, middle or end?",
            ])
        };
        let (phrases, words) = (
            ["at the beginning", "in the middle", "at the end", "never"],
            ["beginning", "middle", "end", "never"],
        );
        let part = part as usize;
        let (named, also) = if choice { (phrases, words) } else { (words, phrases) };
        let mut others: Vec<String> =
            (0..named.len()).filter(|&other| other != part).map(|other| named[other].to_owned()).collect();
        self.random.shuffle(&mut others);
        let answers = vec![named[part].to_owned(), also[part].to_owned()];
        Some(Draft { text: fill(text, &card_phrase), answers, cards: vec![index], others })
    }

    fn describe(&mut self) -> Option<Draft> {
        if self.cards.is_empty() {
            return None;
        }
        let text = self.random.of([
            "Describe the video.",
            "What does the video show? Name the cards in order.",
            "List all cards of the video in the order in which they appear.",
            "Describe every card in the video, from the first to the last.",
        ]);
        let cards: Vec<String> = self.cards.iter().map(in_full).collect();
        let answers = vec![cards.join(", then ")];
        Some(Draft { text: text.into(), answers, cards: (0..self.cards.len()).collect(), others: Vec::new() })
    }
}

/// "3", and "three" where there is a word for it.
fn count_answers(count: usize) -> Vec<String> {
    std::iter::once(count.to_string()).chain(number_word(count).map(str::to_owned)).collect()
}

/// Puts words into a sentence; the sentence begins with a capital.
fn fill(sentence: &str, words: &str) -> String {
    let sentence = sentence.replace("{}", words);
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// As [`fill`], with "a" made "an" where it must be.
fn with_article(sentence: &str, noun: &str) -> String {
    fill(&sentence.replace("a {}", &format!("{} {{}}", article(noun))), noun)
}
