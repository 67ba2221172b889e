//! The formats of 32 weights a stored block: `weight = scale x integer + minimum`, where only the `_1` formats have a minimum.
//! Layouts as in ggml's `ggml-common.h`: the scale (f16), the minimum (f16), the fifth bits (32, little-endian), and codes, of
//! which the low nibbles are the first sixteen and the high ones the rest.

use super::SUBBLOCK;
use super::vector::widen_half;
use crate::simd::Fma;

/// A format: how a stored block of `BYTES` bytes is read.
pub(super) trait Block32<const BYTES: usize> {
    /// What the integers are multiplied by, so that the codes fill a signed byte.
    const UNIT: f32;
    /// Whether the second half-precision number is a minimum.
    const HAS_MINIMUM: bool;

    /// The integers times [`Self::UNIT`], as signed bytes.
    fn codes(block: &[u8; BYTES]) -> [u8; SUBBLOCK];

    /// The scale of a code, and the minimum.
    #[inline(always)]
    fn scale_and_minimum<F: Fma>(block: &[u8; BYTES]) -> (f32, f32) {
        let minimum = if Self::HAS_MINIMUM { widen_half::<F>([block[2], block[3]]) } else { 0.0 };
        (widen_half::<F>([block[0], block[1]]) / Self::UNIT, minimum)
    }

    /// The weights, in the two float operations of the format's definition: `scale x integer` is exact.
    #[inline(always)]
    fn dequantize<F: Fma>(block: &[u8; BYTES], to: &mut [f32]) {
        let (scale, minimum) = Self::scale_and_minimum::<F>(block);
        let codes = Self::codes(block);
        to.iter_mut().zip(codes).for_each(|(to, code)| *to = f32::from(code as i8) * scale + minimum);
    }
}

/// GGUF `Q4_1`: integers from 0 to 15.
pub(super) struct Q4_1;
/// GGUF `Q5_0`: integers from -16 to 15.
pub(super) struct Q5_0;
/// GGUF `Q5_1`: integers from 0 to 31.
pub(super) struct Q5_1;

/// Bytes of a block of each.
pub(super) const Q4_1_BYTES: usize = 20;
pub(super) const Q5_0_BYTES: usize = 22;
pub(super) const Q5_1_BYTES: usize = 24;

impl Block32<Q4_1_BYTES> for Q4_1 {
    const UNIT: f32 = 8.0;
    const HAS_MINIMUM: bool = true;

    #[inline(always)]
    fn codes(block: &[u8; Q4_1_BYTES]) -> [u8; SUBBLOCK] {
        bytes(nibbles(&block[4..]).map(|w| w << 3)) // at most 120: nothing leaves its byte
    }
}

impl Block32<Q5_0_BYTES> for Q5_0 {
    const UNIT: f32 = 8.0;
    const HAS_MINIMUM: bool = false;

    #[inline(always)]
    fn codes(block: &[u8; Q5_0_BYTES]) -> [u8; SUBBLOCK] {
        const UPPER_FIVE: u64 = 0xf8f8_f8f8_f8f8_f8f8;
        bytes(five_bits(&block[2..]).map(|w| minus(w, 16) << 3 & UPPER_FIVE))
    }
}

impl Block32<Q5_1_BYTES> for Q5_1 {
    const UNIT: f32 = 4.0;
    const HAS_MINIMUM: bool = true;

    #[inline(always)]
    fn codes(block: &[u8; Q5_1_BYTES]) -> [u8; SUBBLOCK] {
        bytes(five_bits(&block[4..]).map(|w| w << 2)) // at most 124
    }
}

/// The low nibble of each byte of a word.
pub(super) const LOW: u64 = 0x0f0f_0f0f_0f0f_0f0f;
/// The lowest bit of each byte.
pub(super) const ONES: u64 = 0x0101_0101_0101_0101;

/// Bytes in words of eight, whose bytes are then treated alike.
#[inline(always)]
pub(super) fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

#[inline(always)]
pub(super) fn put<const N: usize>(to: &mut [u8], words: [u64; N]) {
    to.as_chunks_mut::<8>().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
}

/// Subtracts a small number from each byte, all of which are below 128: no byte borrows from the next.
#[inline(always)]
pub(super) fn minus(word: u64, subtract: u64) -> u64 {
    const HIGH: u64 = ONES << 7;
    ((word | HIGH) - subtract * ONES) ^ HIGH
}

#[inline(always)]
fn bytes(words: [u64; 4]) -> [u8; SUBBLOCK] {
    let mut bytes = [0; SUBBLOCK];
    put(&mut bytes, words);
    bytes
}

/// Sixteen bytes of nibbles, a byte each: the low ones, then the high ones.
#[inline(always)]
fn nibbles(packed: &[u8]) -> [u64; 4] {
    let [first, second] = words::<2>(packed);
    [first & LOW, second & LOW, first >> 4 & LOW, second >> 4 & LOW]
}

/// The fifth bits (4 bytes) and the nibbles after them, a byte each.
#[inline(always)]
fn five_bits(packed: &[u8]) -> [u64; 4] {
    let low = nibbles(&packed[4..]);
    std::array::from_fn(|i| low[i] | spread(packed[i]) << 4)
}

/// Bit i of a byte as the lowest bit of byte i.
#[inline(always)]
fn spread(bits: u8) -> u64 {
    const BIT_OF_BYTE: u64 = 0x8040_2010_0804_0201;
    // A byte with its bit set is 1 to 128: with 127 more, its highest bit is set, and none is carried.
    ((u64::from(bits) * ONES & BIT_OF_BYTE) + 127 * ONES) >> 7 & ONES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_spread_over_bytes() {
        for bits in 0..=255u8 {
            let expected: [u8; 8] = std::array::from_fn(|i| bits >> i & 1);
            assert_eq!(spread(bits).to_le_bytes(), expected);
        }
    }
}
