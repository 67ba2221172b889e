//! Floats to int8 weights.

use super::block::BLOCK;
use super::format::Format;
use crate::simd::{Fma, dispatch};

/// Appends one row of weights in [`Format::Int8`]: 128 values share the scale `largest / 127`.
pub fn quantize_int8(row: &[f32], to: &mut Vec<u8>) {
    to.reserve(Format::Int8.row_bytes(row.len()));
    for block in row.chunks(BLOCK) {
        let mut values = [0f32; BLOCK];
        values[..block.len()].copy_from_slice(block);
        let mut codes = [0u8; BLOCK];
        let scale = quantize(&values, &mut codes);
        to.extend(codes);
        to.extend(scale.to_le_bytes());
    }
}

#[inline(always)]
fn quantize_body<F: Fma>(values: &[f32; BLOCK], to: &mut [u8; BLOCK]) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to the nearest integer, in the lowest bits
    let magnitudes = values.iter().map(|v| v.to_bits() & i32::MAX as u32);
    let scale = f32::from_bits(magnitudes.fold(0, u32::max)) / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    to.iter_mut().zip(values).for_each(|(to, v)| *to = (v * inverse + ROUND).to_bits() as u8);
    scale
}
dispatch!(
    /// The nearest integers; returns their scale.
    fn quantize(values: &[f32; BLOCK], to: &mut [u8; BLOCK]) -> f32 = quantize_body
);
