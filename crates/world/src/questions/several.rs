//! Questions on several cards.

use super::kinds::{Asker, Draft, fill, number_answers, with_article};
use super::refer::{Key, in_full};
use crate::card::{Card, Colour, Shape};

impl Asker<'_> {
    /// `count` cards are compared; cards that are not in the video fill up candidates.
    pub(super) fn first(&mut self, count: usize) -> Option<Draft> {
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

    pub(super) fn next(&mut self) -> Option<Draft> {
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
            Key::Number => number_answers(usize::from(self.cards[index + 1].number)),
            _ => vec![key.label(&self.cards[index + 1])],
        };
        let others = self.other_labels(key, &[index + 1, index]);
        Some(Draft { text: fill(text, &card_phrase), answers, cards: vec![index, index + 1], others })
    }

    pub(super) fn how_many(&mut self) -> Option<Draft> {
        let index = self.any_card()?;
        let card = self.cards[index];
        // Shapes most often: one of them comes up again and again.
        let counted = match self.random.below(6) {
            0 => Counted::All,
            1 => Counted::Plate(card.plate),
            2 => Counted::ShapeColour(card.shape_colour),
            _ => Counted::Shape(card.shape),
        };
        let text = self.random.of(counted.texts());
        let text = with_article(text, &counted.noun());
        let cards: Vec<usize> =
            (0..self.cards.len()).filter(|&index| counted.holds(&self.cards[index])).collect();
        let count = cards.len();
        let mut others: Vec<usize> =
            (count.saturating_sub(2)..=count + 2).filter(|&other| other != count).collect();
        self.random.shuffle(&mut others);
        others.push(count + 3);
        let others = others.iter().map(usize::to_string).collect();
        Some(Draft { text, answers: number_answers(count), cards, others })
    }

    pub(super) fn describe(&mut self) -> Option<Draft> {
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

/// Which cards are counted.
enum Counted {
    All,
    Plate(Colour),
    ShapeColour(Colour),
    Shape(Shape),
}

impl Counted {
    fn holds(&self, card: &Card) -> bool {
        match self {
            Self::All => true,
            Self::Plate(colour) => card.plate == *colour,
            Self::ShapeColour(colour) => card.shape_colour == *colour,
            Self::Shape(shape) => card.shape == *shape,
        }
    }

    /// What stands for `{}` in the texts.
    fn noun(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Plate(colour) | Self::ShapeColour(colour) => colour.to_string(),
            Self::Shape(shape) => shape.to_string(),
        }
    }

    fn texts(&self) -> [&'static str; 3] {
        match self {
            Self::All => [
                "How many cards are shown in the video?",
                "How many cards appear in total?",
                "Count the cards in the video. How many are there?",
            ],
            Self::Plate(_) => [
                "How many cards have a {} plate?",
                "How many {} plates are there in the video?",
                "On how many cards is the plate {}?",
            ],
            Self::ShapeColour(_) => [
                "How many cards have a {} shape on them?",
                "How many {} shapes are on cards?",
                "On how many cards is the shape {}?",
            ],
            Self::Shape(_) => [
                "How many cards show a {}?",
                "How many cards with a {} are there in the video?",
                "On how many cards is there a {}?",
            ],
        }
    }
}
