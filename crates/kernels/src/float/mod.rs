//! Products with weights in floats.

mod bf16;
mod f32;
mod linear;
mod shape;

pub use linear::linear;
pub use shape::Linear;
