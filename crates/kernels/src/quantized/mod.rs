//! Weights of few bits: how they are stored, their blocks as integers, and dot products with few rows (decoding).

pub(crate) mod activations;
pub(crate) mod block;
mod blocks32;
pub(crate) mod dots;
pub(crate) mod format;
pub(crate) mod matrix;
mod q4k;
mod quantize;
pub(crate) mod unpack;
mod vector;

pub use format::Format;
pub use matrix::QuantizedMatrix;
pub use quantize::quantize_int8;
