//! `Q4_K` as decoding reads it: dot products straight from the nibbles, since unpacking each block first takes longer than
//! memory takes to deliver it.

use super::vector::{Lanes, dot};
use super::{BLOCK, SUBBLOCKS};
use crate::simd::Fma;

/// Scales and minimums of half a block.
pub(crate) type Packed = ([u8; SUBBLOCKS], [u8; SUBBLOCKS]);

/// The scales and minimums of a `Q4_K` block, 6 bits each, which its bytes 4 to 15 pack: of its first half and of its second.
#[inline(always)]
pub(crate) fn scales_and_minimums(packed: [u8; 12]) -> [Packed; 2] {
    const SIX_BITS: u32 = 0x3f3f_3f3f;
    const FOUR_BITS: u32 = 0x0f0f_0f0f;
    const HIGH_TWO: u32 = 0xc0c0_c0c0;
    let word = |at: usize| u32::from_le_bytes([packed[at], packed[at + 1], packed[at + 2], packed[at + 3]]);
    let (scales, minimums, low) = (word(0), word(4), word(8));
    let second = |low: u32, high: u32| (low & FOUR_BITS) | (high & HIGH_TWO) >> 2;
    [
        ((scales & SIX_BITS).to_le_bytes(), (minimums & SIX_BITS).to_le_bytes()),
        (second(low, scales).to_le_bytes(), second(low >> 4, minimums).to_le_bytes()),
    ]
}

/// Sums of `code x scale x value` by lanes (as [`dot`] has them) over half a block: of every 32 bytes the low nibbles are one
/// sub-block's codes, and the high ones the next's.
#[inline(always)]
pub(crate) fn dot_nibbles<F: Fma>(
    nibbles: &[u8; BLOCK / 2],
    scales: [u8; SUBBLOCKS],
    x: &[i16; BLOCK],
) -> Lanes {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::dot_nibbles(nibbles, scales, x) };
    }
    let mut values = [0; BLOCK];
    for ((to, bytes), scales) in
        values.chunks_exact_mut(64).zip(nibbles.chunks_exact(32)).zip(scales.as_chunks::<2>().0)
    {
        let (low, high) = to.split_at_mut(32);
        let [low_scale, high_scale] = scales.map(i16::from);
        for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
            (*low, *high) = (i16::from(byte & 15) * low_scale, i16::from(byte >> 4) * high_scale);
        }
    }
    dot::<F>(&values, x)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Lanes, SUBBLOCKS};
    use std::arch::x86_64::*;

    /// A sub-block's sum is at most 32 x 15 x 2047 and scales are below 64, so that nothing overflows.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn dot_nibbles(nibbles: &[u8; BLOCK / 2], scales: [u8; SUBBLOCKS], x: &[i16; BLOCK]) -> Lanes {
        let low = _mm_set1_epi8(15);
        let mut sum = _mm256_setzero_si256();
        for (pair, (bytes, x)) in nibbles.as_chunks::<32>().0.iter().zip(x.as_chunks::<64>().0).enumerate() {
            // SAFETY: two times 16 bytes are there.
            let bytes = unsafe {
                [_mm_loadu_si128(bytes.as_ptr().cast()), _mm_loadu_si128(bytes.as_ptr().add(16).cast())]
            };
            let (x_low, x_high) = x.split_at(32);
            let codes = bytes.map(|bytes| _mm_and_si128(bytes, low));
            sum = _mm256_add_epi32(sum, scaled(codes, x_low, scales[2 * pair]));
            let codes = bytes.map(|bytes| _mm_and_si128(_mm_srli_epi16::<4>(bytes), low));
            sum = _mm256_add_epi32(sum, scaled(codes, x_high, scales[2 * pair + 1]));
        }
        let mut lanes = [0; super::super::vector::LANES];
        // SAFETY: eight sums have room.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        lanes
    }

    /// One sub-block, codes in bytes.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    fn scaled(codes: [__m128i; 2], x: &[i16], scale: u8) -> __m256i {
        let (x, _) = x.as_chunks::<16>();
        let mut sum = _mm256_setzero_si256();
        for (codes, x) in codes.into_iter().zip(x) {
            // SAFETY: sixteen values are there.
            let x = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(codes), x));
        }
        _mm256_mullo_epi32(sum, _mm256_set1_epi32(i32::from(scale)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Fused, Separate};

    #[test]
    fn every_version_is_exact_at_the_extremes() {
        #[cfg(target_arch = "x86_64")]
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        for step in 0..64u8 {
            let nibbles: [u8; BLOCK / 2] = std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ step);
            for nibbles in [nibbles, [0xff; BLOCK / 2]] {
                let scales = [63, step, 63 - step, 1];
                let x: [i16; BLOCK] =
                    std::array::from_fn(|i| if i % 5 == 0 { 2047 } else { i as i16 * 31 - 2047 });
                for x in [x, [2047; BLOCK], [-2047; BLOCK]] {
                    let lanes = dot_nibbles::<Fused>(&nibbles, scales, &x);
                    assert_eq!(lanes, dot_nibbles::<Separate>(&nibbles, scales, &x));
                    let exact: i32 = (0..BLOCK)
                        .map(|i| {
                            let byte = nibbles[i / 64 * 32 + i % 32];
                            let code = if i % 64 < 32 { byte & 15 } else { byte >> 4 };
                            i32::from(code) * i32::from(scales[i / 32]) * i32::from(x[i])
                        })
                        .sum();
                    assert_eq!(lanes.iter().sum::<i32>(), exact);
                }
            }
        }
    }
}
