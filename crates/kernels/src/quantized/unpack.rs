//! Blocks of the stored formats as 16-bit integers.

use super::block::{BLOCK, SUBBLOCK, SUBBLOCKS};
use super::blocks32::{
    Block32, LOW, ONES, Q4_1, Q4_1_BYTES, Q5_0, Q5_0_BYTES, Q5_1, Q5_1_BYTES, minus, put, words,
};
use super::format::Format;
use super::q4k::scales_and_minimums;
use super::vector::{self, SCALED, widen_half};
use crate::simd::Fma;

/// One block of a row: `weight[i] = scale * values[i] - minimum_scale * minimums[i / 32]`.
#[derive(Clone, Copy)]
pub(crate) struct WeightBlock {
    pub(crate) values: [i16; BLOCK],
    /// `values[i] = codes[i] * factors[i / 16]`, in the formats that are stored so.
    pub(crate) codes: [u8; BLOCK],
    pub(crate) factors: [i16; BLOCK / SCALED],
    pub(crate) scale: f32,
    pub(crate) minimum_scale: f32,
    pub(crate) minimums: [f32; SUBBLOCKS],
}

impl WeightBlock {
    pub(crate) const ZERO: Self = Self {
        values: [0; BLOCK],
        codes: [0; BLOCK],
        factors: [0; BLOCK / SCALED],
        scale: 0.0,
        minimum_scale: 0.0,
        minimums: [0.0; SUBBLOCKS],
    };
}

impl Format {
    /// Block `index` of a stored row as integers.
    #[inline(always)]
    pub(crate) fn unpack<F: Fma>(self, row: &[u8], index: usize, to: &mut WeightBlock) {
        match self {
            Format::Int8 => int8(&row[index * (BLOCK + 4)..][..BLOCK + 4], to),
            Format::Q8_0 => scaled32::<F, 34>(sub_blocks(row, index, 34), 1.0, to, |bytes, codes| {
                codes.copy_from_slice(bytes);
            }),
            // The codes are shifted to the top of their bytes: that uses all 13 bits of the result.
            Format::Q4_0 => scaled32::<F, 18>(sub_blocks(row, index, 18), 16.0, to, |bytes, codes| {
                let nibbles = words::<2>(bytes);
                put(&mut codes[..16], nibbles.map(|w| minus(w & LOW, 8) << 4 & !LOW));
                put(&mut codes[16..], nibbles.map(|w| minus(w >> 4 & LOW, 8) << 4 & !LOW));
            }),
            Format::Q4_1 => shifted32::<F, Q4_1_BYTES, Q4_1>(sub_blocks(row, index, Q4_1_BYTES), to),
            Format::Q5_0 => shifted32::<F, Q5_0_BYTES, Q5_0>(sub_blocks(row, index, Q5_0_BYTES), to),
            Format::Q5_1 => shifted32::<F, Q5_1_BYTES, Q5_1>(sub_blocks(row, index, Q5_1_BYTES), to),
            Format::Q6K | Format::Q5K | Format::Q4K => {
                self.unpack_codes::<F>(row, index, to);
                vector::widen_times::<F>(&to.codes, &to.factors, &mut to.values);
            }
        }
    }

    /// The same as codes and factors, without the values; of the K formats.
    #[inline(always)]
    pub(crate) fn unpack_codes<F: Fma>(self, row: &[u8], index: usize, to: &mut WeightBlock) {
        let bytes = self.block().1;
        let (block, half) = (&row[index / 2 * bytes..][..bytes], index % 2);
        match self {
            Format::Q6K => q6k::<F>(block, half, to),
            Format::Q5K => q5k::<F>(block, half, to),
            Format::Q4K => q4k::<F>(block, half, to),
            _ => {}
        }
    }
}

#[inline(always)]
fn half_at<F: Fma>(bytes: &[u8], at: usize) -> f32 {
    widen_half::<F>([bytes[at], bytes[at + 1]])
}

#[inline(always)]
fn int8(block: &[u8], to: &mut WeightBlock) {
    if let Some((codes, scale)) = block.split_first_chunk::<BLOCK>() {
        vector::widen(codes, &mut to.values);
        to.scale = f32::from_le_bytes([scale[0], scale[1], scale[2], scale[3]]);
    }
}

/// The blocks of 32 that make up block `index`; fewer at the end of a row.
#[inline(always)]
fn sub_blocks(row: &[u8], index: usize, bytes: usize) -> &[u8] {
    let from = index * SUBBLOCKS * bytes;
    &row[from..row.len().min(from + SUBBLOCKS * bytes)]
}

/// Up to four blocks of 32 with an f16 scale each, brought to one scale: integers of 13 bits, off by at most one. That is
/// a thirty-second of a step of `Q8_0`. A code of `unit` stands for one step.
#[inline(always)]
fn scaled32<F: Fma, const BYTES: usize>(
    blocks: &[u8],
    unit: f32,
    to: &mut WeightBlock,
    codes_of: impl Fn(&[u8], &mut [u8; SUBBLOCK]),
) {
    const FINEST: f32 = 4127.0; // 127 x 4127 / 128 = 4095
    let (mut codes, mut scales) = ([0u8; BLOCK], [0f32; SUBBLOCKS]);
    let blocks = blocks.as_chunks::<BYTES>().0;
    for ((codes, scale), block) in codes.as_chunks_mut().0.iter_mut().zip(&mut scales).zip(blocks) {
        *scale = half_at::<F>(block, 0);
        codes_of(&block[2..], codes);
    }
    let largest = scales.iter().fold(0f32, |m, s| m.max(s.abs()));
    let inverse = if largest > 0.0 { FINEST / largest } else { 0.0 };
    to.scale = largest * (128.0 / FINEST / unit);
    let factors = scales.map(|s| (s * inverse).round_ties_even() as i16);
    vector::widen_fraction::<F>(&codes, &factors, &mut to.values);
}

/// The same with a minimum each, which is in the integers too: they are off by less than two, of at most 4095 for the largest
/// weight. As minimums of their own, of 16 bits each, their products with the sums of activations would not be exact in f32.
#[inline(always)]
fn shifted32<F: Fma, const BYTES: usize, B: Block32<BYTES>>(blocks: &[u8], to: &mut WeightBlock) {
    const LARGEST: f32 = 4095.0;
    /// Above every integer of a format, in codes.
    const MOST_CODE: f32 = 128.0;
    let (mut codes, mut scales) = ([0u8; BLOCK], [(0f32, 0f32); SUBBLOCKS]);
    let blocks = blocks.as_chunks::<BYTES>().0;
    for ((codes, scale), block) in codes.as_chunks_mut().0.iter_mut().zip(&mut scales).zip(blocks) {
        *scale = B::scale_and_minimum::<F>(block);
        *codes = B::codes(block);
    }
    let largest = |(scale, minimum): (f32, f32)| minimum.abs().max((MOST_CODE * scale + minimum).abs());
    let bound = scales.iter().fold(0f32, |m, s| m.max(largest(*s)));
    let inverse = if bound > 0.0 { LARGEST / bound } else { 0.0 };
    // Scales and minimums that are infinite or no numbers make the block's none.
    to.scale = bound / LARGEST + scales.iter().map(|(scale, minimum)| (scale + minimum) * 0.0).sum::<f32>();
    let factors = scales.map(|(scale, _)| (128.0 * scale * inverse).round_ties_even() as i16);
    vector::widen_fraction::<F>(&codes, &factors, &mut to.values);
    for (values, (_, minimum)) in to.values.as_chunks_mut::<SUBBLOCK>().0.iter_mut().zip(scales) {
        let minimum = (minimum * inverse).round_ties_even() as i16;
        values.iter_mut().for_each(|v| *v = v.wrapping_add(minimum));
    }
}

/// Scales and minimums of half a `Q4_K` or `Q5_K` block; each scale twice, for 16 values.
#[inline(always)]
fn half_scales<F: Fma>(block: &[u8], half: usize, to: &mut WeightBlock) {
    (to.scale, to.minimum_scale) = (half_at::<F>(block, 0), half_at::<F>(block, 2));
    let packed = std::array::from_fn(|i| block[4 + i]);
    let (scales, minimums) = scales_and_minimums(packed)[half];
    to.minimums = minimums.map(f32::from);
    to.factors = std::array::from_fn(|i| i16::from(scales[i / 2]));
}

/// Half of a `Q4_K` block: `d, dmin` (f16), 12 bytes of scales, 128 of nibbles.
#[inline(always)]
fn q4k<F: Fma>(block: &[u8], half: usize, to: &mut WeightBlock) {
    half_scales::<F>(block, half, to);
    for (codes, nibbles) in to.codes.chunks_exact_mut(64).zip(block[16 + half * 64..].chunks_exact(32)) {
        let nibbles = words::<4>(nibbles);
        put(&mut codes[..32], nibbles.map(|w| w & LOW));
        put(&mut codes[32..], nibbles.map(|w| w >> 4 & LOW));
    }
}

/// Half of a `Q5_K` block: as `Q4_K`, with 32 bytes of fifth bits before the nibbles.
#[inline(always)]
fn q5k<F: Fma>(block: &[u8], half: usize, to: &mut WeightBlock) {
    half_scales::<F>(block, half, to);
    let fifth = words::<4>(&block[16..48]);
    for pair in 0..2 {
        let (codes, shift) = (&mut to.codes[pair * 64..][..64], half * 4 + pair * 2);
        let nibbles = words::<4>(&block[48 + half * 64 + pair * 32..][..32]);
        put(
            &mut codes[..32],
            std::array::from_fn::<_, 4, _>(|i| nibbles[i] & LOW | (fifth[i] >> shift & ONES) << 4),
        );
        put(
            &mut codes[32..],
            std::array::from_fn::<_, 4, _>(|i| nibbles[i] >> 4 & LOW | (fifth[i] >> (shift + 1) & ONES) << 4),
        );
    }
}

/// Half of a `Q6_K` block: 128 bytes of low nibbles, 64 of high pairs of bits, 16 scales (i8), `d` (f16).
#[inline(always)]
fn q6k<F: Fma>(block: &[u8], half: usize, to: &mut WeightBlock) {
    to.scale = half_at::<F>(block, 208);
    let low = words::<8>(&block[half * 64..][..64]);
    let high = words::<4>(&block[128 + half * 32..][..32]);
    for (quarter, codes) in to.codes.chunks_exact_mut(32).enumerate() {
        let code = |i: usize| {
            let nibble = low[quarter % 2 * 4 + i] >> (quarter / 2 * 4) & LOW;
            minus(nibble | (high[i] >> (quarter * 2) & (3 * ONES)) << 4, 32)
        };
        put(codes, std::array::from_fn::<_, 4, _>(code));
    }
    let scales = &block[192 + half * 8..][..8];
    to.factors = std::array::from_fn(|i| i16::from(scales[i] as i8));
}
