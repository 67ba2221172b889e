//! What a card shows.

use crate::names::named;
use serde::{Deserialize, Serialize};

/// The eight colours of plates and shapes, far from each other even after encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Colour {
    /// Red.
    Red,
    /// Orange.
    Orange,
    /// Yellow.
    Yellow,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Purple.
    Purple,
    /// White.
    White,
    /// Black.
    Black,
}

named!(Colour, "colour", {
    Red => "red", Orange => "orange", Yellow => "yellow", Green => "green", Blue => "blue", Purple => "purple",
    White => "white", Black => "black",
});

impl Colour {
    /// Its sRGB value, 0 to 255.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Red => [214, 28, 36],
            Self::Orange => [255, 138, 20],
            Self::Yellow => [252, 228, 48],
            Self::Green => [24, 150, 58],
            Self::Blue => [36, 84, 224],
            Self::Purple => [140, 40, 176],
            Self::White => [246, 246, 246],
            Self::Black => [16, 16, 16],
        }
    }

    /// Perceived lightness (Rec. 601 luma), 0 to 255.
    pub(crate) fn luma(self) -> f64 {
        let [r, g, b] = self.rgb().map(f64::from);
        0.299 * r + 0.587 * g + 0.114 * b
    }

    /// Black or white, whichever is read better on this colour.
    pub(crate) fn ink(self) -> Self {
        if self.luma() > 120.0 { Self::Black } else { Self::White }
    }

    /// Whether a shape of this colour is seen well on a plate of the other.
    pub fn readable_on(self, plate: Self) -> bool {
        let weak = [
            (Self::Yellow, Self::White),
            (Self::Orange, Self::Yellow),
            (Self::Red, Self::Orange),
            (Self::Blue, Self::Purple),
            (Self::Red, Self::Purple),
            (Self::Blue, Self::Black),
            (Self::Purple, Self::Black),
        ];
        self != plate && !weak.contains(&(self, plate)) && !weak.contains(&(plate, self))
    }
}

/// The shape on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// Three equal sides, one at the bottom.
    Triangle,
    /// Five points.
    Star,
    /// A plus sign.
    Cross,
    /// A square on its corner, taller than wide.
    Diamond,
    /// A heart.
    Heart,
    /// A circle with a hole.
    Ring,
}

named!(Shape, "shape", {
    Circle => "circle", Square => "square", Triangle => "triangle", Star => "star", Cross => "cross",
    Diamond => "diamond", Heart => "heart", Ring => "ring",
});

/// A coloured plate with a shape and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Card {
    /// Colour of the plate.
    pub plate: Colour,
    /// What is drawn beside the number.
    pub shape: Shape,
    /// Its colour.
    pub shape_colour: Colour,
    /// One or two digits, black or white.
    pub number: u8,
}

/// How much the cards ask of who reads them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Numbers 0 to 9; questions on single cards and on their order.
    #[default]
    One,
    /// Numbers 10 to 99; counts, parts of the video and descriptions besides.
    Two,
}

named!(Stage, "stage", { One => "1", Two => "2" });

impl Stage {
    /// The numbers that cards may carry. No number twice in a video, so this bounds the cards.
    pub fn numbers(self) -> std::ops::RangeInclusive<u8> {
        match self {
            Self::One => 0..=9,
            Self::Two => 10..=99,
        }
    }

    /// Width of a plate over its height.
    pub(crate) fn aspect(self) -> f64 {
        match self {
            Self::One => 1.7,
            Self::Two => 2.0,
        }
    }

    /// Cards that a video can have without two sharing a number or a coloured shape.
    pub fn max_cards(self) -> u32 {
        match self {
            Self::One => 10,
            Self::Two => 40,
        }
    }
}
