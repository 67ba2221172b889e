//! The same sums by AVX-512 VNNI in bytes, twice as many a cycle as in pairs of 16 bits, where the weights are bytes.
//!
//! The instruction wants one factor unsigned: weights w are stored as w + 128, and 128 times the sum of the activations is taken
//! off where the sums begin. All of it is exact.

#[cfg(target_arch = "x86_64")]
use super::byte_rows::ByteRows;
use super::byte_rows::{GROUPS, Quad, store_row};
use super::layout::PackedBlock;
use super::layout::{ActivationTile, PanelSums, WeightTile};
use super::multiplier::{Multiplier, store_bytes};
use super::scaling::{self, Scales};
use crate::quantized::Format;
use crate::quantized::activations::ActivationBlock;
use crate::quantized::unpack::WeightBlock;
use crate::simd::Fma;
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, TILE_ROWS, Totals};

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
            && matches!(crate::isa::level(), crate::isa::Level::Avx512)
            && crate::isa::has_vnni();
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
            let [upper, lower]: &ByteRows = bytemuck::cast_ref(&x.values);
            let offsets = offsets(x);
            for ([w, _], [first, second, _]) in bytemuck::cast_ref::<_, Tiles>(w).iter().zip(&mut sums.0) {
                // SAFETY: the CPU has the features, as `new` has checked.
                #[allow(unsafe_code)]
                unsafe {
                    if x.is_wide {
                        x86::tile(upper, w, &[0; TILE_ROWS], first);
                        x86::tile(lower, w, &offsets, second);
                    } else {
                        x86::tile(lower, w, &offsets, first);
                    }
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (w, sums); // it never fits there
        1 + usize::from(x.is_wide)
    }

    /// Rows of 8 bits by weights without minimums are scaled before they leave the registers.
    #[inline(always)]
    fn add(
        &self,
        x: &PackedBlock<TILE_ROWS>,
        w: &[WeightTile; PANEL_TILES],
        scales: &[Scales; PANEL_TILES],
        sums: &mut PanelSums<TILE_ROWS>,
        totals: &mut Totals,
    ) {
        if x.is_wide {
            return scaling::add(self.panel_sums(x, w, sums), sums, scales, x, totals);
        }
        #[cfg(target_arch = "x86_64")]
        {
            let [_, lower]: &ByteRows = bytemuck::cast_ref(&x.values);
            let (w, offsets) = (bytemuck::cast_ref::<_, Tiles>(w), offsets(x));
            for (([w, _], scales), totals) in w.iter().zip(scales).zip(&mut totals.0) {
                // SAFETY: as above.
                #[allow(unsafe_code)]
                unsafe {
                    x86::add(lower, w, &offsets, &scales.scales.0, &x.scales, totals);
                }
            }
        }
    }
}

/// The columns of a panel's tiles; the second half of each is not used.
#[cfg(target_arch = "x86_64")]
type Tiles = [[Weights; 2]; PANEL_TILES];

/// Where the sums of rows begin.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn offsets(x: &PackedBlock<TILE_ROWS>) -> [i32; TILE_ROWS] {
    x.integer_sums.map(|sum| -OFFSET * sum)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{TILE_COLUMNS, TILE_ROWS, Weights};
    use crate::int::byte_rows::Part;
    use crate::int::layout::Sums;
    use crate::tiles::Tile;
    use std::arch::x86_64::*;

    /// The sums of a part and a tile of columns, from `start` of each row on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn multiply(x: &Part, w: &Weights, start: &[i32; TILE_ROWS]) -> [__m512i; TILE_ROWS] {
        let mut total = [_mm512_setzero_si512(); TILE_ROWS];
        for (total, start) in total.iter_mut().zip(start) {
            *total = _mm512_set1_epi32(*start);
        }
        for (x, w) in x.iter().zip(w) {
            // SAFETY: TILE_COLUMNS groups of four bytes are one vector.
            #[allow(unsafe_code)]
            let w = unsafe { _mm512_loadu_si512(w.as_ptr().cast()) };
            for (total, x) in total.iter_mut().zip(x) {
                *total = _mm512_dpbusd_epi32(*total, w, _mm512_set1_epi32(bytemuck::cast(*x)));
            }
        }
        total
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn tile(x: &Part, w: &Weights, start: &[i32; TILE_ROWS], sums: &mut Sums) {
        for (total, row) in multiply(x, w, start).iter().zip(sums.iter_mut()) {
            // SAFETY: a row of sums is one vector.
            #[allow(unsafe_code)]
            unsafe {
                _mm512_storeu_si512(row.as_mut_ptr().cast(), *total)
            };
        }
    }

    /// Adds to `totals` what these sums are worth, in the same steps as [`scaling::add`](crate::int::scaling::add).
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn add(
        x: &Part,
        w: &Weights,
        start: &[i32; TILE_ROWS],
        scales: &[f32; TILE_COLUMNS],
        row_scales: &[f32; TILE_ROWS],
        totals: &mut Tile,
    ) {
        let sums = multiply(x, w, start);
        // SAFETY: a row is one vector.
        let scales = unsafe { _mm512_loadu_ps(scales.as_ptr()) };
        for ((sums, row_scale), totals) in sums.iter().zip(row_scales).zip(totals) {
            let product = _mm512_mul_ps(_mm512_cvtepi32_ps(*sums), scales);
            let product = _mm512_mul_ps(product, _mm512_set1_ps(*row_scale));
            // SAFETY: as above.
            unsafe {
                let total = _mm512_add_ps(_mm512_loadu_ps(totals.as_ptr()), product);
                _mm512_storeu_ps(totals.as_mut_ptr(), total);
            }
        }
    }
}
