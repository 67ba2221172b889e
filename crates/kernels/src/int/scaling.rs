//! From integer sums to floats: the scales of weights and activations, and the minimums.

use super::layout::{PackedBlock, PanelSums, joined};
#[cfg(target_arch = "x86_64")]
use crate::isa::Level;
use crate::quantized::block::SUBBLOCKS;
use crate::tiles::{Aligned, PANEL_TILES, TILE_COLUMNS, Totals};

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

/// Adds to `totals` what the sums of a panel's tiles over one block, in so many parts, are worth.
#[inline(always)]
pub(crate) fn add<const ROWS: usize>(
    parts: usize,
    sums: &PanelSums<ROWS>,
    scales: &[Scales; PANEL_TILES],
    x: &PackedBlock<ROWS>,
    totals: &mut Totals<ROWS>,
) {
    #[cfg(target_arch = "x86_64")]
    match crate::isa::level() {
        // SAFETY: the CPU has AVX-512, as just checked.
        #[allow(unsafe_code)]
        Level::Avx512 => return unsafe { x86::avx512::add(parts, sums, scales, x, totals) },
        // SAFETY: the CPU has AVX2 and FMA, as just checked.
        #[allow(unsafe_code)]
        Level::Avx2 => return unsafe { x86::avx2::add(parts, sums, scales, x, totals) },
        Level::Baseline => {}
    }
    for ((sums, scales), totals) in sums.0.iter().zip(scales).zip(&mut totals.0) {
        for (r, totals) in totals.iter_mut().enumerate() {
            let mut minimum = [0f32; TILE_COLUMNS];
            if scales.has_minimums {
                for (m, s) in scales.minimums.0.iter().zip(x.sums[r]) {
                    minimum.iter_mut().zip(m).for_each(|(to, m)| *to += m * s);
                }
            }
            for c in 0..TILE_COLUMNS {
                let product = joined(&sums[..parts], r, c) as f32 * scales.scales.0[c];
                let product = if scales.has_minimums {
                    product - minimum[c] * scales.minimum_scales.0[c]
                } else {
                    product
                };
                totals[c] += product * x.scales[r];
            }
        }
    }
}

/// The same in vectors: compilers take twelve rows for one instead of sixteen columns, and scatter, or take no vectors at all.
#[cfg(target_arch = "x86_64")]
mod x86 {
    macro_rules! by_vectors {
        ($level:ident, $features:literal, $lanes:literal, $floats:ident, $load:ident, $store:ident, $zero:ident, $set:ident, $mul:ident,
            $mul_add:ident, $add:ident, $sub:ident, $integers:ident, $load_integers:ident, $shift:ident, $sum:ident, $convert:ident $(,)?) => {
            pub(super) mod $level {
                use crate::int::layout::{LOW_BITS, MOST_PARTS, PackedBlock, PanelSums, Sums};
                use crate::int::scaling::Scales;
                use crate::tiles::{PANEL_TILES, TILE_COLUMNS, Totals};
                use std::arch::x86_64::*;

                const VECTORS: usize = TILE_COLUMNS / $lanes;

                /// Vector `v` of a row.
                #[allow(unsafe_code)]
                #[inline]
                #[target_feature(enable = $features)]
                fn floats(row: &[f32; TILE_COLUMNS], v: usize) -> $floats {
                    // SAFETY: a row is so many whole vectors.
                    unsafe { $load(row.as_chunks::<$lanes>().0[v].as_ptr()) }
                }

                #[allow(unsafe_code)]
                #[inline]
                #[target_feature(enable = $features)]
                fn integers(row: &[i32; TILE_COLUMNS], v: usize) -> $integers {
                    // SAFETY: as above.
                    unsafe { $load_integers(row.as_chunks::<$lanes>().0[v].as_ptr().cast()) }
                }

                /// The sums of row `r`, of so many parts.
                #[inline]
                #[target_feature(enable = $features)]
                fn joined<const ROWS: usize>(
                    sums: &[Sums<ROWS>; MOST_PARTS],
                    parts: usize,
                    r: usize,
                    v: usize,
                ) -> $integers {
                    sums[1..parts].iter().fold(integers(&sums[0][r], v), |sum, next| {
                        $sum($shift::<{ LOW_BITS as _ }>(sum), integers(&next[r], v))
                    })
                }

                #[allow(unsafe_code)]
                #[inline]
                #[target_feature(enable = $features)]
                pub(in super::super) fn add<const ROWS: usize>(
                    parts: usize,
                    sums: &PanelSums<ROWS>,
                    scales: &[Scales; PANEL_TILES],
                    x: &PackedBlock<ROWS>,
                    totals: &mut Totals<ROWS>,
                ) {
                    for ((sums, by), totals) in sums.0.iter().zip(scales).zip(&mut totals.0) {
                        for v in 0..VECTORS {
                            let (scales, minimum_scales) =
                                (floats(&by.scales.0, v), floats(&by.minimum_scales.0, v));
                            for (r, totals) in totals.iter_mut().enumerate() {
                                let mut product = $mul($convert(joined(sums, parts, r, v)), scales);
                                if by.has_minimums {
                                    // In one rounding or two, since nothing is rounded: 63 x 4 x 32 x 2047 is below 2^24.
                                    let mut minimum = $zero();
                                    for (m, s) in by.minimums.0.iter().zip(x.sums[r]) {
                                        minimum = $mul_add(floats(m, v), $set(s), minimum);
                                    }
                                    product = $sub(product, $mul(minimum, minimum_scales));
                                }
                                let total = $add(floats(totals, v), $mul(product, $set(x.scales[r])));
                                // SAFETY: as above.
                                unsafe { $store(totals.as_chunks_mut::<$lanes>().0[v].as_mut_ptr(), total) };
                            }
                        }
                    }
                }
            }
        };
    }
    #[rustfmt::skip]
    by_vectors!(
        avx512, "avx512f", 16, __m512, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_setzero_ps, _mm512_set1_ps, _mm512_mul_ps,
        _mm512_fmadd_ps, _mm512_add_ps, _mm512_sub_ps, __m512i, _mm512_loadu_si512, _mm512_slli_epi32, _mm512_add_epi32, _mm512_cvtepi32_ps,
    );
    #[rustfmt::skip]
    by_vectors!(
        avx2, "avx2,fma", 8, __m256, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_setzero_ps, _mm256_set1_ps, _mm256_mul_ps,
        _mm256_fmadd_ps, _mm256_add_ps, _mm256_sub_ps, __m256i, _mm256_loadu_si256, _mm256_slli_epi32, _mm256_add_epi32, _mm256_cvtepi32_ps,
    );
}
