//! Rows of activations as tiles, in the order that a multiplier reads.

use super::layout::PackedBlock;
use super::multiplier::Multiplier;
use crate::quantized::activations::{ActivationBlock, Bits, quantize};
use crate::quantized::block::BLOCK;
use bytemuck::Zeroable;
use rayon::prelude::*;

impl<const ROWS: usize> PackedBlock<ROWS> {
    /// Row `r`, in the order that a multiplier reads.
    #[inline]
    pub(crate) fn store<M: Multiplier<ROWS>>(&mut self, x: &ActivationBlock, r: usize) {
        self.scales[r] = x.scale;
        self.sums[r] = x.sums;
        self.integer_sums[r] = x.sums.iter().sum::<f32>() as i32; // exact: below 2^24
        self.is_wide |= x.is_wide;
        M::store_row(x, r, &mut self.values);
    }
}

/// `x` `[rows, inputs]` by row tiles, and by blocks within them; rows beyond the last are zero.
pub(crate) fn pack<const ROWS: usize, M: Multiplier<ROWS>>(
    x: &[f32],
    inputs: usize,
    bits: Bits,
) -> Vec<PackedBlock<ROWS>> {
    let blocks = inputs.div_ceil(BLOCK);
    let tiles = (x.len() / inputs).div_ceil(ROWS);
    let count = tiles * blocks;
    let mut packed: Vec<PackedBlock<ROWS>> = Vec::with_capacity(count);
    let room = &mut packed.spare_capacity_mut()[..count];
    room.par_chunks_exact_mut(blocks).zip(x.par_chunks(ROWS * inputs)).for_each(|(tile, rows)| {
        let mut row_block = ActivationBlock::ZERO;
        for (index, block) in tile.iter_mut().enumerate() {
            // Zeroed here, in the cache: all at once is a pass over memory.
            let block = block.write(PackedBlock::zeroed());
            for (r, row) in rows.chunks_exact(inputs).enumerate() {
                let first = index * BLOCK;
                quantize(&row[first..inputs.min(first + BLOCK)], bits, &mut row_block);
                block.store::<M>(&row_block, r);
            }
        }
    });
    // SAFETY: there is room for `count`, and every one of them has been written.
    #[allow(unsafe_code)]
    unsafe {
        packed.set_len(count);
    }
    packed
}
