//! Steps over one block of 8- or 16-bit integers: AVX2 where the code is compiled for it, else portable.

use super::format::WeightBlock;
use super::microkernel::{TILE_COLUMNS, WeightTile};
use super::{BLOCK, SUBBLOCKS};
use crate::simd::Fma;

/// Values that share a factor in [`widen_times`].
const SCALED: usize = 16;

/// `sum_i a[i] b[i]`.
#[inline(always)]
pub(crate) fn dot<F: Fma>(a: &[i16; BLOCK], b: &[i16; BLOCK]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if F::AVX2 {
        // SAFETY: the CPU has AVX2, as `F::AVX2` says.
        #[allow(unsafe_code)]
        return unsafe { x86::dot(a, b) };
    }
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// Bytes as int8.
#[inline(always)]
pub(crate) fn widen<F: Fma>(codes: &[u8; BLOCK], to: &mut [i16; BLOCK]) {
    to.iter_mut().zip(codes).for_each(|(to, code)| *to = i16::from(*code as i8));
}

/// Bytes as int8, times a factor for each 16.
#[inline(always)]
pub(crate) fn widen_times<F: Fma>(
    codes: &[u8; BLOCK],
    factors: &[i16; BLOCK / SCALED],
    to: &mut [i16; BLOCK],
) {
    #[cfg(target_arch = "x86_64")]
    if F::AVX2 {
        // SAFETY: the CPU has AVX2, as `F::AVX2` says.
        #[allow(unsafe_code)]
        return unsafe { x86::widen_times(codes, factors, to) };
    }
    for (i, (to, code)) in to.iter_mut().zip(codes).enumerate() {
        *to = i16::from(*code as i8).wrapping_mul(factors[i / SCALED]);
    }
}

/// Bytes as int8, times a factor for each 32, over 128 (rounded half up).
#[inline(always)]
pub(crate) fn widen_fraction<F: Fma>(codes: &[u8; BLOCK], factors: &[i16; SUBBLOCKS], to: &mut [i16; BLOCK]) {
    #[cfg(target_arch = "x86_64")]
    if F::AVX2 {
        // SAFETY: the CPU has AVX2, as `F::AVX2` says.
        #[allow(unsafe_code)]
        return unsafe { x86::widen_fraction(codes, factors, to) };
    }
    for (i, (to, code)) in to.iter_mut().zip(codes).enumerate() {
        *to = ((i32::from(*code as i8) * i32::from(factors[i * SUBBLOCKS / BLOCK]) + 64) >> 7) as i16;
    }
}

/// Columns of pairs to rows of pairs: the order in which the tiles of a product are read.
#[inline(always)]
pub(crate) fn interleave<F: Fma>(columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile) {
    #[cfg(target_arch = "x86_64")]
    if F::AVX2 {
        // SAFETY: the CPU has AVX2, as `F::AVX2` says.
        #[allow(unsafe_code)]
        return unsafe { x86::interleave(columns, to) };
    }
    for (c, column) in columns.iter().enumerate() {
        for (group, pair) in to.iter_mut().zip(column.values.as_chunks::<2>().0) {
            group[c] = *pair;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, SCALED, SUBBLOCKS, TILE_COLUMNS, WeightBlock, WeightTile};
    use std::arch::x86_64::*;

    /// 16-bit lanes of a vector.
    const LANES: usize = 16;

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn dot(a: &[i16; BLOCK], b: &[i16; BLOCK]) -> i32 {
        let mut sums = [_mm256_setzero_si256(); 2];
        for at in (0..BLOCK).step_by(2 * LANES) {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = at + part * LANES;
                // SAFETY: at + LANES <= BLOCK.
                let product = unsafe {
                    _mm256_madd_epi16(
                        _mm256_loadu_si256(a.as_ptr().add(at).cast()),
                        _mm256_loadu_si256(b.as_ptr().add(at).cast()),
                    )
                };
                *sum = _mm256_add_epi32(*sum, product);
            }
        }
        let sum = _mm256_add_epi32(sums[0], sums[1]);
        let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
        _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum)))
    }

    /// `codes[16 i ..]` as 16-bit lanes.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    fn wide(codes: &[u8; BLOCK], i: usize) -> __m256i {
        let codes = &codes[i * LANES..][..LANES];
        // SAFETY: 16 bytes are there.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(codes.as_ptr().cast()) })
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(values: __m256i, to: &mut [i16; BLOCK], i: usize) {
        let to = &mut to[i * LANES..][..LANES];
        // SAFETY: 16 values have room.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), values) };
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn widen_times(codes: &[u8; BLOCK], factors: &[i16; BLOCK / SCALED], to: &mut [i16; BLOCK]) {
        for (i, factor) in factors.iter().enumerate() {
            store(_mm256_mullo_epi16(wide(codes, i), _mm256_set1_epi16(*factor)), to, i);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn widen_fraction(codes: &[u8; BLOCK], factors: &[i16; SUBBLOCKS], to: &mut [i16; BLOCK]) {
        for i in 0..BLOCK / LANES {
            let factor = _mm256_set1_epi16(factors[i * LANES * SUBBLOCKS / BLOCK]);
            // (256 code x factor + 2^14) >> 15
            store(_mm256_mulhrs_epi16(_mm256_slli_epi16::<8>(wide(codes, i)), factor), to, i);
        }
    }

    /// Transposes 8 x 8 pairs at a time.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn interleave(columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile) {
        const SIDE: usize = 8;
        for (half, columns) in columns.as_chunks::<SIDE>().0.iter().enumerate() {
            for (part, groups) in to.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                // SAFETY: a block has 64 pairs: 8 from 8 x part on.
                let load = |c: usize| unsafe {
                    _mm256_loadu_si256(columns[c].values.as_ptr().add(part * 2 * SIDE).cast())
                };
                let rows = transpose(std::array::from_fn(load));
                for (group, row) in groups.iter_mut().zip(rows) {
                    // SAFETY: a group has 16 pairs: 8 from 8 x half on.
                    unsafe { _mm256_storeu_si256(group.as_mut_ptr().add(half * SIDE).cast(), row) };
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn transpose(v: [__m256i; 8]) -> [__m256i; 8] {
        // ab[0]: columns 0, 1 of rows 0, 1 and 4, 5; then four columns; then the halves.
        let pairs = |i: usize| (_mm256_unpacklo_epi32(v[i], v[i + 1]), _mm256_unpackhi_epi32(v[i], v[i + 1]));
        let (p0, p1, p2, p3) = (pairs(0), pairs(2), pairs(4), pairs(6));
        let quads = |a: (__m256i, __m256i), b: (__m256i, __m256i)| {
            [
                _mm256_unpacklo_epi64(a.0, b.0),
                _mm256_unpackhi_epi64(a.0, b.0),
                _mm256_unpacklo_epi64(a.1, b.1),
                _mm256_unpackhi_epi64(a.1, b.1),
            ]
        };
        let (left, right) = (quads(p0, p1), quads(p2, p3));
        std::array::from_fn(|i| {
            let (l, r) = (left[i % 4], right[i % 4]);
            if i < 4 {
                _mm256_permute2x128_si256::<0x20>(l, r)
            } else {
                _mm256_permute2x128_si256::<0x31>(l, r)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Fused, Separate};

    #[test]
    fn both_versions_agree_at_every_code_and_factor() {
        #[cfg(target_arch = "x86_64")]
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        for first in [0usize, 128] {
            let codes: [u8; BLOCK] = std::array::from_fn(|i| (first + i) as u8);
            for factor in (-4127..=4127).step_by(17) {
                let (mut a, mut b) = ([0; BLOCK], [0; BLOCK]);
                widen_fraction::<Fused>(&codes, &[factor, 1, -factor, 4127], &mut a);
                widen_fraction::<Separate>(&codes, &[factor, 1, -factor, 4127], &mut b);
                assert_eq!(a, b);
                let factors = std::array::from_fn(|i| (factor >> i) % 128);
                widen_times::<Fused>(&codes, &factors, &mut a);
                widen_times::<Separate>(&codes, &factors, &mut b);
                assert_eq!(a, b);
                assert_eq!(dot::<Fused>(&a, &b), dot::<Separate>(&a, &b));
            }
        }
    }

    #[test]
    fn both_versions_interleave_alike() {
        #[cfg(target_arch = "x86_64")]
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let mut columns = [WeightBlock::ZERO; TILE_COLUMNS];
        for (c, column) in columns.iter_mut().enumerate() {
            column.values = std::array::from_fn(|i| (c * BLOCK + i) as i16);
        }
        let (mut a, mut b) = ([[[0; 2]; TILE_COLUMNS]; BLOCK / 2], [[[0; 2]; TILE_COLUMNS]; BLOCK / 2]);
        interleave::<Fused>(&columns, &mut a);
        interleave::<Separate>(&columns, &mut b);
        assert_eq!(a, b);
        assert_eq!(a[3][5], [5 * 128 + 6, 5 * 128 + 7]);
    }
}
