//! Floats to int8 weights.

use super::{BLOCK, Format};

/// Appends one row of weights in [`Format::Int8`]: 128 values share the scale `largest / 127`.
pub fn quantize_int8(row: &[f32], to: &mut Vec<u8>) {
    to.reserve(Format::Int8.row_bytes(row.len()));
    for block in row.chunks(BLOCK) {
        let largest = block.iter().fold(0f32, |m, v| m.max(v.abs()));
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        to.extend(block.iter().map(|v| (v * inverse).round_ties_even() as i8 as u8));
        to.extend(std::iter::repeat_n(0u8, BLOCK - block.len()));
        to.extend(scale.to_le_bytes());
    }
}
