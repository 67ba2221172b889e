//! The stored formats, and their blocks as 16-bit integers.

use super::activations::Bits;
use super::blocks32::{
    Block32, LOW, ONES, Q4_1, Q4_1_BYTES, Q5_0, Q5_0_BYTES, Q5_1, Q5_1_BYTES, minus, put, words,
};
use super::nibbles::scales_and_minimums;
use super::vector::{self, SCALED, widen_half};
use super::{BLOCK, SUBBLOCK, SUBBLOCKS};
use crate::prefetch::prefetch_early;
use crate::simd::{Fma, Separate};

/// How a matrix of quantized weights is stored, row after row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 128 int8 values and an f32 scale; rows of any length are padded with zeros. Not a GGUF type.
    Int8,
    /// GGUF `Q8_0`: 32 int8 values, f16 scale.
    Q8_0,
    /// GGUF `Q4_0`: 32 values of 4 bits, f16 scale.
    Q4_0,
    /// GGUF `Q4_1`: 32 values of 4 bits, f16 scale and minimum.
    Q4_1,
    /// GGUF `Q5_0`: 32 values of 5 bits, f16 scale.
    Q5_0,
    /// GGUF `Q5_1`: 32 values of 5 bits, f16 scale and minimum.
    Q5_1,
    /// GGUF `Q6_K`: 256 values of 6 bits, 16 scales of 8 bits.
    Q6K,
    /// GGUF `Q5_K`: 256 values of 5 bits, 8 scales and minimums of 6 bits.
    Q5K,
    /// GGUF `Q4_K`: 256 values of 4 bits, 8 scales and minimums of 6 bits.
    Q4K,
}

impl Format {
    /// Weights a stored block, and its bytes.
    pub const fn block(self) -> (usize, usize) {
        match self {
            Self::Int8 => (BLOCK, BLOCK + 4),
            Self::Q8_0 => (32, 34),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, Q4_1_BYTES),
            Self::Q5_0 => (32, Q5_0_BYTES),
            Self::Q5_1 => (32, Q5_1_BYTES),
            Self::Q6K => (256, 210),
            Self::Q5K => (256, 176),
            Self::Q4K => (256, 144),
        }
    }

    /// Whether rows of `inputs` weights can be stored.
    pub const fn fits(self, inputs: usize) -> bool {
        matches!(self, Self::Int8) || inputs.is_multiple_of(self.block().0)
    }

    /// Bytes of a row of `inputs` weights; saturates.
    pub const fn row_bytes(self, inputs: usize) -> usize {
        let (weights, bytes) = self.block();
        inputs.div_ceil(weights).saturating_mul(bytes)
    }

    /// Whether the integers of a block fit bytes.
    pub(crate) const fn is_narrow(self) -> bool {
        matches!(self, Self::Int8)
    }

    /// How many bits the activations have that many rows of them are multiplied by: 8 where some CPU gains by that.
    pub(crate) const fn activation_bits(self) -> Bits {
        if matches!(self, Self::Int8 | Self::Q4K) { Bits::EightWhereEven } else { Bits::Twelve }
    }

    /// Whether blocks of integers have minimums (those of `Q4_1` and `Q5_1` are in the integers): weight = scale x integer - minimum.
    pub(crate) const fn has_minimums(self) -> bool {
        matches!(self, Self::Q5K | Self::Q4K)
    }
}

/// Quantized weights `[outputs, inputs]`.
#[derive(Clone, Copy)]
pub struct QuantizedMatrix<'a> {
    format: Format,
    bytes: &'a [u8],
    inputs: usize,
    outputs: usize,
}

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

impl<'a> QuantizedMatrix<'a> {
    /// `bytes` as a matrix; none if their number or the row length does not suit the format.
    pub fn new(format: Format, bytes: &'a [u8], inputs: usize, outputs: usize) -> Option<Self> {
        let suits = format.fits(inputs) && Some(bytes.len()) == format.row_bytes(inputs).checked_mul(outputs);
        suits.then_some(Self { format, bytes, inputs, outputs })
    }

    /// How it is stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Weights a row.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Rows.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Blocks of [`BLOCK`] a row, the last one padded with zeros.
    pub(crate) fn blocks(&self) -> usize {
        self.inputs.div_ceil(BLOCK)
    }

    pub(crate) fn row(&self, row: usize) -> &'a [u8] {
        let bytes = self.format.row_bytes(self.inputs);
        &self.bytes[row * bytes..][..bytes]
    }

    /// Weights of one row as floats.
    ///
    /// # Panics
    /// When `out` does not have the length of a row, or there is no such row.
    pub fn dequantize_row(&self, row: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.inputs, "dequantize_row: wrong length");
        match self.format {
            Format::Q4_1 => return dequantize32::<Q4_1_BYTES, Q4_1>(self.row(row), out),
            Format::Q5_0 => return dequantize32::<Q5_0_BYTES, Q5_0>(self.row(row), out),
            Format::Q5_1 => return dequantize32::<Q5_1_BYTES, Q5_1>(self.row(row), out),
            _ => {}
        }
        let mut block = WeightBlock::ZERO;
        for (index, out) in out.chunks_mut(BLOCK).enumerate() {
            self.unpack::<Separate>(row, index, &mut block);
            for (i, out) in out.iter_mut().enumerate() {
                *out = block.scale * f32::from(block.values[i])
                    - block.minimum_scale * block.minimums[i / SUBBLOCK];
            }
        }
    }

    /// Block `index` of a row as integers.
    #[inline(always)]
    pub(crate) fn unpack<F: Fma>(&self, row: usize, index: usize, to: &mut WeightBlock) {
        self.format.unpack::<F>(self.row(row), index, to);
    }

    /// The same as codes and factors, without the values; of the K formats.
    #[inline(always)]
    pub(crate) fn unpack_codes<F: Fma>(&self, row: usize, index: usize, to: &mut WeightBlock) {
        self.format.unpack_codes::<F>(self.row(row), index, to);
    }

    /// Asks for block `index` of a row, if there is one.
    #[inline(always)]
    pub(crate) fn prefetch<F: Fma>(&self, row: usize, index: usize) {
        let row = self.row(row);
        let bytes = row.len().div_ceil(self.blocks());
        let start = (index * bytes).min(row.len());
        prefetch_early::<F>(&row[start..row.len().min(start + bytes)]);
    }
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

/// A stored row as floats.
fn dequantize32<const BYTES: usize, B: Block32<BYTES>>(row: &[u8], out: &mut [f32]) {
    for (block, out) in row.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<SUBBLOCK>().0) {
        B::dequantize::<Separate>(block, out);
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
