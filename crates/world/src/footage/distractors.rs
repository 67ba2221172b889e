//! Moving shapes that are no cards.

use crate::card::{Colour, Shape};
use crate::draw::{Picture, Sprite, distractor_sprite};
use crate::random::Random;

/// Shapes in the cards' own colours that bounce through the frame.
pub(crate) struct Distractors(Vec<Distractor>);

struct Distractor {
    sprite: Sprite,
    /// Place at the cut, and way in a second, both as shares of the frame.
    start: [f64; 2],
    speed: [f64; 2],
}

impl Distractors {
    /// For frames of `size` pixels.
    pub(crate) fn new(count: u32, seed: u64, size: [u32; 2]) -> Self {
        let mut random = Random::new(seed, "distractors", 0);
        let short_side = f64::from(size[0].min(size[1]));
        let distractor = |_| {
            let (shape, colour) = (random.pick(Shape::ALL).copied(), random.pick(Colour::ALL).copied());
            let radius = short_side * random.between(0.05, 0.13);
            let (shape, colour) = (shape.unwrap_or(Shape::Circle), colour.unwrap_or(Colour::White));
            Distractor {
                sprite: distractor_sprite(shape, colour, radius, random.between(-40.0, 40.0)),
                start: [random.between(0.0, 2.0), random.between(0.0, 2.0)],
                speed: [random.between(-0.3, 0.3), random.between(-0.3, 0.3)],
            }
        };
        Self((0..count).map(distractor).collect())
    }

    /// Lays them over what is seen `secs` after the cut.
    pub(crate) fn lay_over(&self, secs: f64, picture: &mut Picture) {
        let size = [f64::from(picture.width()), f64::from(picture.height())];
        for Distractor { sprite, start, speed } in &self.0 {
            let centre = [0, 1].map(|i| {
                // There and back again: 0 to 1 to 0.
                let way = (start[i] + speed[i] * secs).rem_euclid(2.0);
                size[i] * if way > 1.0 { 2.0 - way } else { way }
            });
            sprite.lay_over(picture, centre);
        }
    }
}
