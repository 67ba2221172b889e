//! Products with quantized weights, in integers.
//!
//! Blocks of [`BLOCK`] inputs: activations become integers of 12 bits with one scale a row and block, weights integers of
//! at most 13 bits with one scale a row and block (an int8 weight is its own integer; the finer scales of the GGUF formats
//! are multiplied in). Their products are summed exactly in i32, so every instruction set gives the same integers, and the
//! float steps are the same few in the same order: results are bit-equal on every CPU.
//!
//! Why 16-bit operands: AVX2 has no 8-bit product that sums in i32, so int8 takes two multiplications for 32 pairs
//! (`vpmaddubsw`, `vpmaddwd`), as many as int16 does (`vpmaddwd` twice); what int16 costs is an addition more. For that
//! the activations have 12 bits, and outlier channels do not drown their neighbours. AMX multiplies bytes only, so fast that the
//! integers are cut in two of them there (`bytes`).

mod activations;
mod blocks32;
mod bytes;
mod codes;
mod cut_rows;
mod dots;
mod format;
mod multiplier;
mod nibbles;
mod pairs;
mod product;
mod quantize;
mod scaling;
mod vector;
mod vnni;

pub use format::{Format, QuantizedMatrix};
pub use product::{QuantizedLinear, quantized_linear};
pub use quantize::quantize_int8;

/// Inputs that share a scale: divides 896, 1152, 3584, 4864, 18944 and 29568, so that few rows need padding.
pub(crate) const BLOCK: usize = 128;
/// Inputs that share a minimum in the formats that have one.
pub(crate) const SUBBLOCK: usize = 32;
/// Sub-blocks of a block.
pub(crate) const SUBBLOCKS: usize = BLOCK / SUBBLOCK;
