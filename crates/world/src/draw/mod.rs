//! A small rasteriser: signed distances give edges without steps. Lengths are pixels unless a comment says otherwise.

mod geometry;
mod picture;
mod sprite;

pub use picture::Picture;
pub(crate) use sprite::{Sprite, card_sprite, distractor_sprite, tilted_bounds};
