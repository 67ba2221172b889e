//! The only copy of every layer: weights, and the backend that computes with them.

mod linear;
mod norm;
mod rotary;

pub use linear::Linear;
pub use norm::{LayerNorm, RmsNorm};
pub use rotary::Rotary;
