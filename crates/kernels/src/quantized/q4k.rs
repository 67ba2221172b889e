//! `Q4_K` as decoding reads it: dot products straight from the nibbles, since unpacking each block first takes longer than
//! memory takes to deliver it.

use super::activations::ActivationBlock;
use super::block::{BLOCK, SUBBLOCK, SUBBLOCKS};
use super::vector::{LANES, Lanes};
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

/// Sums of `code x scale x value` over half a block: of every 32 bytes the low nibbles are one sub-block's codes, and the high
/// ones the next's. Lane l has the products 4 l to 4 l + 3 of every sub-block. `x` must have been [split](ActivationBlock::split).
#[inline(always)]
pub(crate) fn dot_nibbles<F: Fma>(
    nibbles: &[u8; BLOCK / 2],
    scales: [u8; SUBBLOCKS],
    x: &ActivationBlock,
) -> Lanes {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::dot_nibbles(nibbles, scales, x) };
    }
    let mut lanes = [0; LANES];
    let [high, low] = x.bytes();
    let values: [i16; BLOCK] = std::array::from_fn(|i| 64 * i16::from(high[i]) + i16::from(low[i]));
    for (sub, (values, scale)) in values.as_chunks::<SUBBLOCK>().0.iter().zip(scales).enumerate() {
        let (bytes, shift) = (&nibbles[sub / 2 * SUBBLOCK..][..SUBBLOCK], sub % 2 * 4);
        let fours = bytes.as_chunks::<4>().0.iter().zip(values.as_chunks::<4>().0);
        for (lane, (bytes, values)) in lanes.iter_mut().zip(fours) {
            let products = bytes.iter().zip(values).map(|(b, v)| i32::from(b >> shift & 15) * i32::from(*v));
            *lane += products.sum::<i32>() * i32::from(scale);
        }
    }
    lanes
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{ActivationBlock, BLOCK, LANES, Lanes, SUBBLOCK, SUBBLOCKS};
    use std::arch::x86_64::*;

    /// Products of bytes: an activation is 64 times one byte and another. A pair of products is at most 2 x 15 x 32, so that
    /// 16 bits hold it, and is multiplied by its scale where pairs are added to pairs in 32 bits.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn dot_nibbles(
        nibbles: &[u8; BLOCK / 2],
        scales: [u8; SUBBLOCKS],
        x: &ActivationBlock,
    ) -> Lanes {
        let nibble = _mm256_set1_epi8(15);
        let scales = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(i32::from_le_bytes(scales)));
        let scales = _mm256_broadcastsi128_si256(scales);
        let (mut high, mut low) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for (pair, bytes) in nibbles.as_chunks::<SUBBLOCK>().0.iter().enumerate() {
            // SAFETY: 32 bytes are there.
            let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            let codes =
                [_mm256_and_si256(bytes, nibble), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble)];
            for (half, codes) in codes.into_iter().enumerate() {
                let sub = 2 * pair + half;
                let word = _mm256_set1_epi16((sub * 0x202 + 0x100) as i16); // both bytes of scale `sub`
                let scale = _mm256_shuffle_epi8(scales, word);
                let sums = |bytes: &[i8; BLOCK]| {
                    // SAFETY: 32 bytes of sub-block `sub` < 4 are there.
                    let x = unsafe { _mm256_loadu_si256(bytes.as_ptr().add(sub * SUBBLOCK).cast()) };
                    _mm256_madd_epi16(_mm256_maddubs_epi16(codes, x), scale)
                };
                high = _mm256_add_epi32(high, sums(&x.bytes()[0]));
                low = _mm256_add_epi32(low, sums(&x.bytes()[1]));
            }
        }
        let mut lanes = [0; LANES];
        let sum = _mm256_add_epi32(_mm256_slli_epi32::<6>(high), low);
        // SAFETY: eight sums have room.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Fused, Separate};

    #[test]
    fn every_version_is_exact_at_the_extremes() {
        #[cfg(target_arch = "x86_64")]
        if crate::isa::level() == crate::isa::Level::Baseline {
            return;
        }
        for step in 0..64u8 {
            let nibbles: [u8; BLOCK / 2] = std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ step);
            for nibbles in [nibbles, [0xff; BLOCK / 2]] {
                let scales = [63, step, 63 - step, 1];
                let x: [i16; BLOCK] =
                    std::array::from_fn(|i| if i % 5 == 0 { 2047 } else { i as i16 * 31 - 2047 });
                for values in [x, [2047; BLOCK], [-2047; BLOCK]] {
                    let mut x = ActivationBlock { values, ..ActivationBlock::ZERO };
                    x.split();
                    let lanes = dot_nibbles::<Fused>(&nibbles, scales, &x);
                    assert_eq!(lanes, dot_nibbles::<Separate>(&nibbles, scales, &x));
                    let exact: i32 = (0..BLOCK)
                        .map(|i| {
                            let byte = nibbles[i / 64 * 32 + i % 32];
                            let code = if i % 64 < 32 { byte & 15 } else { byte >> 4 };
                            i32::from(code) * i32::from(scales[i / 32]) * i32::from(values[i])
                        })
                        .sum();
                    assert_eq!(lanes.iter().sum::<i32>(), exact);
                }
            }
        }
    }
}
