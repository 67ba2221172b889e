//! Activations as integers of 8 or 12 bits, in the order that the products read them.

use super::block::{BLOCK, SUBBLOCK, SUBBLOCKS};
use crate::simd::{Fma, dispatch};

/// How many bits the integers may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bits {
    /// Always 12: what few rows, and weights of more than 8 bits, are multiplied by.
    Twelve,
    /// 8 in blocks without outliers, 12 in the others.
    EightWhereEven,
}

/// Largest magnitudes: with 12 bits 4096 x 2047 x 128 stays below 2^31.
const WIDE_MAX: f32 = 2047.0;
const NARROW_MAX: f32 = 127.0;
/// A block has outliers where its largest magnitude is above this many times the mean. Normally distributed values come to 3 or 4,
/// behind a GELU to 7, and 8 bits round them by half to one percent of their root mean square, as int8 does weights. The gated
/// products of an MLP come to 20, and are rounded by two percent.
const OUTLIER: f64 = 20.0;

/// One block of one row: `x[i] = scale * values[i]`.
#[derive(Clone)]
pub(crate) struct ActivationBlock {
    pub(crate) values: [i16; BLOCK],
    pub(crate) scale: f32,
    /// Whether the values have 12 bits, not 8.
    pub(crate) is_wide: bool,
    /// Sums of the integers of each sub-block: at most 32 x 2047, so exact as floats.
    pub(crate) sums: [f32; SUBBLOCKS],
}

impl ActivationBlock {
    pub(crate) const ZERO: Self =
        Self { values: [0; BLOCK], scale: 0.0, is_wide: false, sums: [0.0; SUBBLOCKS] };

    /// Puts bytes in the place of the values (a long row shall stay in the cache): [`Self::bytes`] are there instead.
    pub(crate) fn split(&mut self) {
        let mut bytes = [[0; BLOCK]; 2];
        let [high, low] = &mut bytes;
        for ((value, high), low) in self.values.iter().zip(high).zip(low) {
            let upper = (value + 32) >> 6;
            (*high, *low) = (upper as i8, (value - 64 * upper) as i8);
        }
        self.values = bytemuck::cast(bytes);
    }

    /// `[high, low]`, of which the values were `64 high + low`, low from -32 to 31, once [split](Self::split).
    pub(crate) fn bytes(&self) -> &[[i8; BLOCK]; 2] {
        bytemuck::cast_ref(&self.values)
    }
}

/// Quantizes up to [`BLOCK`] values; the rest of the block is zero. A value that is infinite or no number makes the scale no number.
pub(crate) fn quantize(x: &[f32], bits: Bits, to: &mut ActivationBlock) {
    if let Ok(x) = <&[f32; BLOCK]>::try_from(x) {
        return quantize_block(x, BLOCK, bits, to);
    }
    let mut padded = [0f32; BLOCK];
    padded[..x.len()].copy_from_slice(x);
    quantize_block(&padded, x.len(), bits, to);
}

/// In sums and maxima of integers, which compilers vectorise, and which are the same in any order.
#[inline(always)]
fn quantize_body<F: Fma>(x: &[f32; BLOCK], count: usize, bits: Bits, to: &mut ActivationBlock) {
    let magnitudes = x.iter().map(|v| v.to_bits() & i32::MAX as u32);
    let largest = f32::from_bits(magnitudes.fold(0, u32::max));
    to.is_wide = false;
    if bits == Bits::EightWhereEven {
        to.scale = round(x, largest, NARROW_MAX, &mut to.values);
        to.is_wide = has_outliers(&to.values, count);
    }
    if bits == Bits::Twelve || to.is_wide {
        to.is_wide = true;
        to.scale = round(x, largest, WIDE_MAX, &mut to.values);
    }
    for (sum, values) in to.sums.iter_mut().zip(to.values.as_chunks::<SUBBLOCK>().0) {
        *sum = values.iter().map(|v| i32::from(*v)).sum::<i32>() as f32;
    }
}
dispatch!(
    /// The first `count` values are some; the others are zero.
    fn quantize_block(x: &[f32; BLOCK], count: usize, bits: Bits, to: &mut ActivationBlock) = quantize_body
);

/// The nearest integers, of which the largest magnitude is `most`; returns their scale: no number where a value is infinite or none, so
/// that the row's results are none either.
#[inline(always)]
fn round(x: &[f32; BLOCK], largest: f32, most: f32, to: &mut [i16; BLOCK]) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to the nearest integer, in the lowest bits
    if !largest.is_finite() {
        to.fill(0);
        return f32::NAN;
    }
    let scale = largest / most;
    let inverse = if scale > 0.0 { most / largest } else { 0.0 };
    for (v, x) in to.iter_mut().zip(x) {
        *v = (x * inverse + ROUND).to_bits() as i16;
    }
    scale
}

/// Whether the largest magnitude is an outlier among `count` values rounded to 8 bits.
#[inline(always)]
fn has_outliers(values: &[i16; BLOCK], count: usize) -> bool {
    let sum: i32 = values.iter().map(|v| i32::from(*v).abs()).sum();
    sum > 0 && f64::from(sum) * OUTLIER < f64::from(NARROW_MAX) * count as f64
}
