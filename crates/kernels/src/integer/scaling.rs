//! From integer sums to floats: the scales of weights and activations, and the minimums.

use super::SUBBLOCKS;
use super::activations::PackedBlock;
use super::microkernel::{Sums, joined};
use crate::tiles::{Aligned, TILE_COLUMNS, Tile};

/// What belongs to the columns of a tile in one block.
pub(crate) struct Scales {
    pub(crate) scales: Aligned<[f32; TILE_COLUMNS]>,
    pub(crate) minimum_scales: Aligned<[f32; TILE_COLUMNS]>,
    pub(crate) minimums: Aligned<[[f32; TILE_COLUMNS]; SUBBLOCKS]>,
    /// Whether there are minimums.
    pub(crate) has_minimums: bool,
}

impl Scales {
    pub(crate) const ZERO: Self = Self {
        scales: Aligned([0.0; TILE_COLUMNS]),
        minimum_scales: Aligned([0.0; TILE_COLUMNS]),
        minimums: Aligned([[0.0; TILE_COLUMNS]; SUBBLOCKS]),
        has_minimums: false,
    };
}

/// Adds to `totals` what the sums of one tile over one block, in parts, are worth.
#[inline(always)]
pub(crate) fn add<const ROWS: usize>(
    parts: &[Sums<ROWS>],
    scales: &Scales,
    x: &PackedBlock<ROWS>,
    totals: &mut Tile<ROWS>,
) {
    #[cfg(target_arch = "x86_64")]
    if matches!(crate::simd::level(), crate::simd::Level::Avx512) {
        // SAFETY: the CPU has AVX-512, as just checked.
        #[allow(unsafe_code)]
        return unsafe { x86::add(parts, scales, x, totals) };
    }
    for (r, totals) in totals.iter_mut().enumerate() {
        let mut minimum = [0f32; TILE_COLUMNS];
        if scales.has_minimums {
            for (m, s) in scales.minimums.0.iter().zip(x.sums[r]) {
                minimum.iter_mut().zip(m).for_each(|(to, m)| *to += m * s);
            }
        }
        for c in 0..TILE_COLUMNS {
            let product = joined(parts, r, c) as f32 * scales.scales.0[c];
            let product =
                if scales.has_minimums { product - minimum[c] * scales.minimum_scales.0[c] } else { product };
            totals[c] += product * x.scales[r];
        }
    }
}

/// The same in vectors: compilers take twelve rows for one instead of sixteen columns, and scatter.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{PackedBlock, Scales, Sums, TILE_COLUMNS, Tile};
    use crate::integer::bytes::LOW_BITS;
    use std::arch::x86_64::*;

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn floats(row: &[f32; TILE_COLUMNS]) -> __m512 {
        // SAFETY: a row is one vector.
        unsafe { _mm512_loadu_ps(row.as_ptr()) }
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn joined<const ROWS: usize>(parts: &[Sums<ROWS>], r: usize) -> __m512i {
        let mut sum = _mm512_setzero_si512();
        for part in parts {
            // SAFETY: a row is one vector.
            let part = unsafe { _mm512_loadu_si512(part[r].as_ptr().cast()) };
            sum = _mm512_add_epi32(_mm512_slli_epi32::<LOW_BITS>(sum), part);
        }
        sum
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn add<const ROWS: usize>(
        parts: &[Sums<ROWS>],
        by: &Scales,
        x: &PackedBlock<ROWS>,
        totals: &mut Tile<ROWS>,
    ) {
        let (scales, minimum_scales) = (floats(&by.scales.0), floats(&by.minimum_scales.0));
        for (r, totals) in totals.iter_mut().enumerate() {
            let mut product = _mm512_mul_ps(_mm512_cvtepi32_ps(joined(parts, r)), scales);
            if by.has_minimums {
                let mut minimum = _mm512_setzero_ps();
                for (m, s) in by.minimums.0.iter().zip(x.sums[r]) {
                    minimum = _mm512_add_ps(minimum, _mm512_mul_ps(floats(m), _mm512_set1_ps(s)));
                }
                product = _mm512_sub_ps(product, _mm512_mul_ps(minimum, minimum_scales));
            }
            let total = _mm512_add_ps(floats(totals), _mm512_mul_ps(product, _mm512_set1_ps(x.scales[r])));
            // SAFETY: a row is one vector.
            unsafe { _mm512_storeu_ps(totals.as_mut_ptr(), total) };
        }
    }
}
