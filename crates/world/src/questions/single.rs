//! Questions on one card.

use super::kinds::{Asker, Draft, fill, number_answers};
use super::refer::{Key, article};
use crate::card::{Card, Colour, Shape};

impl Asker<'_> {
    pub(super) fn which(&mut self) -> Option<Draft> {
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

    pub(super) fn what_number(&mut self) -> Option<Draft> {
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
            answers: number_answers(number),
            cards: vec![index],
            others,
        })
    }

    pub(super) fn is_there(&mut self) -> Option<Draft> {
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

    pub(super) fn which_is_there(&mut self) -> Option<Draft> {
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

    pub(super) fn when(&mut self, choice: bool) -> Option<Draft> {
        let index = self.any_card()?;
        let shown = &self.script.cards[index];
        let (frames, end) = (self.script.frames, shown.last_frame + 1);
        let part = shown.first_frame * 3 / frames.max(1);
        if end * 3 > (part + 1) * frames {
            return None; // It is seen in two parts.
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
}
