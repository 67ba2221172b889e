//! What is seen between and behind the cards: busy, muted, and never a plate with a number.

mod distractors;
mod drawn;
mod generated;

pub(crate) use distractors::Distractors;
pub(crate) use drawn::Drawn;
pub(crate) use generated::Generated;

use crate::names::named;

/// A kind of footage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Footage {
    /// Two layers of drifting noise of many scales.
    Clouds,
    /// Interfering waves.
    Waves,
    /// Blocks that flicker.
    Noise,
    /// Four colours that walk through the corners.
    Gradient,
    /// A swaying chequered floor.
    Checks,
    /// Many moving shapes without plates.
    Shapes,
    /// ffmpeg's zoom into the Mandelbrot set.
    Mandelbrot,
    /// ffmpeg's game of life.
    Life,
    /// ffmpeg's one-dimensional cellular automata.
    Cellauto,
    /// ffmpeg's flight over Sierpinski patterns.
    Sierpinski,
}

named!(Footage, "footage", {
    Clouds => "clouds", Waves => "waves", Noise => "noise", Gradient => "gradient", Checks => "checks",
    Shapes => "shapes", Mandelbrot => "mandelbrot", Life => "life", Cellauto => "cellauto", Sierpinski => "sierpinski",
});

impl Footage {
    /// Drawn here: same pixels on every machine, any frame at once. The rest comes from ffmpeg, frame after frame.
    pub const DRAWN: &'static [Self] =
        &[Self::Clouds, Self::Waves, Self::Noise, Self::Gradient, Self::Checks, Self::Shapes];

    /// Whether ffmpeg makes it.
    pub fn is_generated(self) -> bool {
        !Self::DRAWN.contains(&self)
    }
}
