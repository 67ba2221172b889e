//! A matrix of stored blocks.

use super::block::{BLOCK, SUBBLOCK};
use super::blocks32::{Block32, Q4_1, Q4_1_BYTES, Q5_0, Q5_0_BYTES, Q5_1, Q5_1_BYTES};
use super::format::Format;
use super::unpack::WeightBlock;
use crate::prefetch::prefetch_early;
use crate::simd::{Fma, Separate};

/// Quantized weights `[outputs, inputs]`.
#[derive(Clone, Copy)]
pub struct QuantizedMatrix<'a> {
    format: Format,
    bytes: &'a [u8],
    inputs: usize,
    outputs: usize,
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

/// A stored row as floats.
fn dequantize32<const BYTES: usize, B: Block32<BYTES>>(row: &[u8], out: &mut [f32]) {
    for (block, out) in row.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<SUBBLOCK>().0) {
        B::dequantize::<Separate>(block, out);
    }
}
