//! The same sums by AVX-512 VNNI in bytes, twice as many a cycle as in pairs of 16 bits, where the weights are bytes.
//!
//! The instruction wants one factor unsigned: weights w are stored as w + 128, and 128 times the sum of the activations is taken
//! off where the sums begin. All of it is exact.

use super::Format;
use super::activations::{ActivationBlock, PackedBlock};
use super::cut_rows::{CutRows, GROUPS, Quad, store_row};
use super::format::WeightBlock;
use super::microkernel::{ActivationTile, Multiplier, PanelSums, WeightTile, store_bytes};
use crate::simd::Fma;
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, TILE_ROWS};

/// A tile's columns, each weight 128 more than it is: the first half of a [`WeightTile`].
type Weights = [[Quad<u8>; TILE_COLUMNS]; GROUPS];

const _: () = assert!(2 * size_of::<Weights>() == size_of::<WeightTile>());

/// What a weight is stored above itself.
const OFFSET: i32 = 128;

/// Bytes by bytes.
pub(crate) struct Vnni;

impl Vnni {
    /// Whether this CPU multiplies weights of the format so.
    pub(crate) fn fits(format: Format) -> bool {
        #[cfg(target_arch = "x86_64")]
        return format.is_narrow()
            && matches!(crate::simd::level(), crate::simd::Level::Avx512)
            && crate::simd::has_vnni();
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = format;
            false
        }
    }
}

impl Multiplier<TILE_ROWS> for Vnni {
    /// # Panics
    /// Where [`Vnni::fits`] says no.
    fn new(format: Format) -> Self {
        assert!(Self::fits(format), "products of bytes: not on this CPU");
        Self
    }

    #[inline]
    fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile) {
        store_row(x, r, to);
    }

    #[inline(always)]
    fn store_columns<F: Fma>(&self, columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile) {
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
            let [upper, lower]: &CutRows = bytemuck::cast_ref(&x.values);
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
    use super::{TILE_ROWS, Weights};
    use crate::integer::cut_rows::Part;
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
