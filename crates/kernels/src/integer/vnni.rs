//! The same sums by AVX-512 VNNI in bytes, twice as many a cycle as in pairs of 16 bits, where the weights are bytes.
//!
//! Activations of 8 bits are one byte, and take one product. A row of 12 bits is cut, `x = 64 u + l`, and takes two; so does
//! a tile with such a row, whose other rows have u = 0. The instruction wants one factor unsigned: weights w are stored as
//! w + 128, and 128 times the sum of the activations is taken off where the sums begin. All of it is exact.

use super::BLOCK;
use super::activations::{ActivationBlock, PackedBlock};
use super::bytes::LOW_BITS;
use super::microkernel::{ActivationTile, Multiplier, PanelSums, WeightTile, store_bytes};
use crate::simd::{Fma, dispatch};
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, TILE_ROWS};

/// Groups of four inputs in a block.
const GROUPS: usize = BLOCK / 4;

/// Four consecutive inputs.
type Quad<T> = [T; 4];
/// A part of a tile's rows.
type Part = [[Quad<i8>; TILE_ROWS]; GROUPS];
/// The upper parts, and the lower ones or the rows that are not cut.
type Activations = [Part; 2];
/// A tile's columns, each weight 128 more than it is: the first half of a [`WeightTile`].
type Weights = [[Quad<u8>; TILE_COLUMNS]; GROUPS];

const _: () = assert!(size_of::<Activations>() == size_of::<ActivationTile>());
const _: () = assert!(2 * size_of::<Weights>() == size_of::<WeightTile>());

/// What a weight is stored above itself.
const OFFSET: i32 = 128;

/// Bytes by bytes.
pub(crate) struct Vnni;

impl Vnni {
    /// Whether this CPU multiplies so, for weights that are bytes.
    pub(crate) fn fits(narrow: bool) -> bool {
        #[cfg(target_arch = "x86_64")]
        return narrow
            && matches!(crate::simd::level(), crate::simd::Level::Avx512)
            && crate::simd::has_vnni();
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = narrow;
            false
        }
    }
}

#[inline(always)]
fn store_row_body<F: Fma>(x: &ActivationBlock, r: usize, to: &mut ActivationTile) {
    let (mut upper, mut lower) = ([0i8; BLOCK], [0i8; BLOCK]);
    for i in 0..BLOCK {
        let up = if x.is_wide { (x.values[i] + (1 << (LOW_BITS - 1))) >> LOW_BITS } else { 0 };
        (upper[i], lower[i]) = (up as i8, (x.values[i] - (up << LOW_BITS)) as i8);
    }
    for (part, values) in bytemuck::cast_mut::<_, Activations>(to).iter_mut().zip([&upper, &lower]) {
        part.iter_mut().zip(values.as_chunks().0).for_each(|(to, values)| to[r] = *values);
    }
}
dispatch!(
    /// Row `r` of a tile.
    fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile) = store_row_body
);

impl Multiplier<TILE_ROWS> for Vnni {
    /// # Panics
    /// Where [`Vnni::fits`] says no.
    fn new(narrow: bool) -> Self {
        assert!(Self::fits(narrow), "products of bytes: not on this CPU");
        Self
    }

    #[inline]
    fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile) {
        store_row(x, r, to);
    }

    #[inline(always)]
    fn store_columns<F: Fma>(&self, columns: [&[i16; BLOCK]; TILE_COLUMNS], to: &mut WeightTile) {
        let [to, _]: &mut [Weights; 2] = bytemuck::cast_mut(to);
        store_bytes::<F>(columns, |v| (v + OFFSET as i16) as u8, to);
    }

    #[inline(always)]
    fn panel_sums(
        &self,
        x: &PackedBlock<TILE_ROWS>,
        w: &[WeightTile; PANEL_TILES],
        sums: &mut PanelSums<TILE_ROWS>,
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        {
            let [upper, lower]: &Activations = bytemuck::cast_ref(&x.values);
            let weights: &[[Weights; 2]; PANEL_TILES] = bytemuck::cast_ref(w);
            let offsets = x.integer_sums.map(|sum| -OFFSET * sum);
            for ([w, _], sums) in weights.iter().zip(&mut sums.0) {
                // SAFETY: the CPU has the features, as `new` has checked.
                #[allow(unsafe_code)]
                unsafe {
                    if x.is_wide {
                        let (first, second) = sums.split_at_mut(1);
                        x86::tile(upper, w, &[0; TILE_ROWS], &mut first[0]);
                        x86::tile(lower, w, &offsets, &mut second[0]);
                    } else {
                        x86::tile(lower, w, &offsets, &mut sums[0]);
                    }
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (w, sums); // it never fits there
        1 + usize::from(x.is_wide)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Part, TILE_ROWS, Weights};
    use crate::integer::microkernel::Sums;
    use std::arch::x86_64::*;

    /// The sums of a part and a tile of columns, from `start` of each row on.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn tile(x: &Part, w: &Weights, start: &[i32; TILE_ROWS], sums: &mut Sums) {
        let mut total = [_mm512_setzero_si512(); TILE_ROWS];
        for (total, start) in total.iter_mut().zip(start) {
            *total = _mm512_set1_epi32(*start);
        }
        for (x, w) in x.iter().zip(w) {
            // SAFETY: TILE_COLUMNS groups of four bytes are one vector.
            let w = unsafe { _mm512_loadu_si512(w.as_ptr().cast()) };
            for (total, x) in total.iter_mut().zip(x) {
                *total = _mm512_dpbusd_epi32(*total, w, _mm512_set1_epi32(bytemuck::cast(*x)));
            }
        }
        for (total, row) in total.iter().zip(sums.iter_mut()) {
            // SAFETY: a row of sums is one vector.
            unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), *total) };
        }
    }
}
