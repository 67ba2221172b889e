//! Rows of activations in bytes: one for each value of 8 bits, two for each of 12.
//!
//! A row of 12 bits is cut, `x = 64 u + l`; a tile with such a row takes two products, in which its rows of 8 bits have u = 0.

use super::layout::{ActivationTile, LOW_BITS};
use crate::quantized::activations::ActivationBlock;
use crate::quantized::block::BLOCK;
use crate::simd::{Fma, dispatch};
use crate::tiles::TILE_ROWS;

/// Groups of four inputs in a block.
pub(super) const GROUPS: usize = BLOCK / 4;

/// Four consecutive inputs.
pub(super) type Quad<T> = [T; 4];
/// A part of a tile's rows.
pub(super) type Part = [[Quad<i8>; TILE_ROWS]; GROUPS];
/// The upper parts, and the lower ones or the rows that are not cut.
pub(super) type ByteRows = [Part; 2];

const _: () = assert!(size_of::<ByteRows>() == size_of::<ActivationTile>());

#[inline(always)]
fn store_row_body<F: Fma>(x: &ActivationBlock, r: usize, to: &mut ActivationTile) {
    let (mut upper, mut lower) = ([0i8; BLOCK], [0i8; BLOCK]);
    for i in 0..BLOCK {
        let up = if x.is_wide { (x.values[i] + (1 << (LOW_BITS - 1))) >> LOW_BITS } else { 0 };
        (upper[i], lower[i]) = (up as i8, (x.values[i] - (up << LOW_BITS)) as i8);
    }
    for (part, values) in bytemuck::cast_mut::<_, ByteRows>(to).iter_mut().zip([&upper, &lower]) {
        part.iter_mut().zip(values.as_chunks().0).for_each(|(to, values)| to[r] = *values);
    }
}
dispatch!(
    /// Row `r` of a tile.
    pub(super) fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile) = store_row_body
);
