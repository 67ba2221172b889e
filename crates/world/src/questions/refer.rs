//! Words for cards.

use crate::card::{Card, Colour, Shape};
use crate::random::Random;

/// What a card is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Its number. No two cards of a video share one.
    Number,
    /// Its shape with the colour. No two cards of a video share it.
    ColouredShape,
    /// The colour of its plate. Cards may share it: see [`is_unique`].
    Plate,
}

impl Key {
    pub(crate) const ALL: [Self; 3] = [Self::Number, Self::ColouredShape, Self::Plate];

    /// Short, as an answer: "7", "red star", "yellow plate".
    pub(crate) fn label(self, card: &Card) -> String {
        match self {
            Self::Number => card.number.to_string(),
            Self::ColouredShape => coloured_shape(card.shape_colour, card.shape),
            Self::Plate => format!("{} plate", card.plate),
        }
    }

    /// Within a sentence: "the card with the number 7".
    pub(crate) fn phrase(self, card: &Card, random: &mut Random) -> String {
        let label = self.label(card);
        match self {
            Self::Number => {
                random
                    .of(["the card with the number", "the card numbered", "the card that shows the number"])
                    .to_owned()
                    + " "
                    + &label
            }
            Self::ColouredShape => {
                let article = article(&label);
                match random.below(3) {
                    0 => format!("the card with the {label}"),
                    1 => format!("the card that shows {article} {label}"),
                    _ => format!("the card with {article} {label} on it"),
                }
            }
            Self::Plate => match random.below(3) {
                0 => format!("the {label}"),
                1 => format!("the card with the {label}"),
                _ => format!("the {} card", card.plate),
            },
        }
    }
}

/// Whether a key picks out one card of a video.
pub(crate) fn is_unique(key: Key, card: &Card, cards: &[Card]) -> bool {
    cards.iter().filter(|other| key.label(other) == key.label(card)).count() == 1
}

pub(crate) fn coloured_shape(colour: Colour, shape: Shape) -> String {
    format!("{colour} {shape}")
}

/// "a" or "an".
pub(crate) fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// A card in full: "a red star with the number 7 on a yellow plate".
pub(crate) fn in_full(card: &Card) -> String {
    let shape = coloured_shape(card.shape_colour, card.shape);
    let plate = format!("{} plate", card.plate);
    format!("{} {shape} with the number {} on {} {plate}", article(&shape), card.number, article(&plate))
}

/// The number as a word, where it is small.
pub(crate) fn number_word(number: usize) -> Option<&'static str> {
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    words.get(number).copied()
}
