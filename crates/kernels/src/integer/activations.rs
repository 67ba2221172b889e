//! Activations as 12-bit integers, in the order that the products read them.

use super::microkernel::{ActivationTile, Multiplier};
use super::{ACTIVATION_MAX, BLOCK, SUBBLOCK, SUBBLOCKS};
use crate::simd::{Fma, dispatch};
use rayon::prelude::*;

/// One block of one row: `x[i] = scale * values[i]`.
#[derive(Clone)]
pub(crate) struct ActivationBlock {
    pub(crate) values: [i16; BLOCK],
    pub(crate) scale: f32,
    /// Sums of the integers of each sub-block: at most 32 x 2047, so exact as floats.
    pub(crate) sums: [f32; SUBBLOCKS],
    /// `values[i] = 64 high[i] + low[i]`, once [cut](Self::cut).
    pub(crate) high: [i8; BLOCK],
    /// From -32 to 31.
    pub(crate) low: [i8; BLOCK],
}

impl ActivationBlock {
    pub(crate) const ZERO: Self =
        Self { values: [0; BLOCK], scale: 0.0, sums: [0.0; SUBBLOCKS], high: [0; BLOCK], low: [0; BLOCK] };

    /// Cuts the values in bytes.
    pub(crate) fn cut(&mut self) {
        for ((value, high), low) in self.values.iter().zip(&mut self.high).zip(&mut self.low) {
            let upper = (value + 32) >> 6;
            (*high, *low) = (upper as i8, (value - 64 * upper) as i8);
        }
    }
}

#[inline(always)]
fn quantize_body<F: Fma>(x: &[f32], to: &mut ActivationBlock) {
    const LANES: usize = 16;
    let mut padded = [0f32; BLOCK];
    padded[..x.len()].copy_from_slice(x);
    let mut largest = [0f32; LANES];
    for lane in padded.chunks_exact(LANES) {
        largest.iter_mut().zip(lane).for_each(|(m, v)| *m = if v.abs() > *m { v.abs() } else { *m });
    }
    let largest = largest.iter().fold(0f32, |m, v| m.max(*v));
    to.scale = largest / ACTIVATION_MAX;
    let inverse = if to.scale > 0.0 { ACTIVATION_MAX / largest } else { 0.0 };
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to the nearest integer, in the lowest bits
    for (v, x) in to.values.iter_mut().zip(&padded) {
        *v = (x * inverse + ROUND).to_bits() as i16;
    }
    for (sum, values) in to.sums.iter_mut().zip(to.values.chunks_exact(SUBBLOCK)) {
        *sum = values.iter().map(|v| i32::from(*v)).sum::<i32>() as f32;
    }
}
dispatch!(
    /// Quantizes up to [`BLOCK`] values; the rest of the block is zero.
    pub(crate) fn quantize(x: &[f32], to: &mut ActivationBlock) = quantize_body
);

/// One block of the rows of a tile.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct PackedBlock<const ROWS: usize> {
    pub(crate) values: ActivationTile<ROWS>,
    pub(crate) scales: [f32; ROWS],
    pub(crate) sums: [[f32; SUBBLOCKS]; ROWS],
}

// SAFETY: arrays of integers and floats, for which zeros are values.
#[allow(unsafe_code)]
unsafe impl<const ROWS: usize> bytemuck::Zeroable for PackedBlock<ROWS> {}

/// `x` `[rows, inputs]` by row tiles, and by blocks within them; rows beyond the last are zero.
pub(crate) fn pack<const ROWS: usize, M: Multiplier<ROWS>>(
    x: &[f32],
    inputs: usize,
) -> Vec<PackedBlock<ROWS>> {
    let blocks = inputs.div_ceil(BLOCK);
    let tiles = (x.len() / inputs).div_ceil(ROWS);
    let mut packed: Vec<PackedBlock<ROWS>> = bytemuck::zeroed_vec(tiles * blocks);
    packed.par_chunks_exact_mut(blocks).zip(x.par_chunks(ROWS * inputs)).for_each(|(tile, rows)| {
        let mut block = ActivationBlock::ZERO;
        for (r, row) in rows.chunks_exact(inputs).enumerate() {
            for (to, x) in tile.iter_mut().zip(row.chunks(BLOCK)) {
                quantize(x, &mut block);
                to.scales[r] = block.scale;
                to.sums[r] = block.sums;
                M::store_row(&block.values, r, &mut to.values);
            }
        }
    });
    packed
}
