//! Few rows of activations, as when decoding: dot products, bound by reading the weights where they are read as they are
//! stored (int8, `Q8_0`, `Q4_1`, `Q5_0`, `Q5_1`, `Q4_K`); the other formats are unpacked block by block.

use super::activations::{ActivationBlock, Bits, quantize};
use super::blocks32::{Block32, Q4_1, Q4_1_BYTES, Q5_0, Q5_0_BYTES, Q5_1, Q5_1_BYTES};
use super::format::{QuantizedMatrix, WeightBlock};
use super::nibbles::{Packed, dot_nibbles, scales_and_minimums};
use super::vector::{LANES, add_scaled, dot, dot_codes, widen_half};
use super::{BLOCK, Format, SUBBLOCK, SUBBLOCKS};
use crate::prefetch::prefetch;
use crate::simd::{Fma, dispatch};
use rayon::prelude::*;
use std::marker::PhantomData;

/// Weight rows a task.
const TASK_OUTPUTS: usize = 32;
/// Bytes of a block of int8, `Q8_0` and `Q4_K`.
const INT8_BYTES: usize = Format::Int8.block().1;
const Q8_0_BYTES: usize = Format::Q8_0.block().1;
const Q4K_BYTES: usize = Format::Q4K.block().1;

/// `x W^T + b`; a row of weights stays in the cache for all of `x`.
pub(super) fn dot_rows(weight: &QuantizedMatrix<'_>, bias: Option<&[f32]>, x: &[f32]) -> Vec<f32> {
    let (inputs, outputs, blocks) = (weight.inputs(), weight.outputs(), weight.blocks());
    let rows = x.len() / inputs;
    let mut quantized = vec![ActivationBlock::ZERO; rows * blocks];
    for (to, x) in quantized.chunks_exact_mut(blocks).zip(x.chunks_exact(inputs)) {
        to.iter_mut().zip(x.chunks(BLOCK)).for_each(|(to, x)| quantize(x, Bits::Twelve, to));
    }
    if weight.format() == Format::Q4K {
        quantized.iter_mut().for_each(ActivationBlock::cut);
    }
    let mut columns = vec![0f32; outputs * rows];
    columns.par_chunks_mut(TASK_OUTPUTS * rows).enumerate().for_each(|(task, columns)| {
        dots(weight, task * TASK_OUTPUTS, &quantized, columns);
    });
    if let Some(bias) = bias {
        columns.chunks_exact_mut(rows).zip(bias).for_each(|(c, b)| c.iter_mut().for_each(|v| *v += b));
    }
    if rows == 1 {
        return columns;
    }
    let mut y = vec![0f32; outputs * rows];
    for (r, y) in y.chunks_exact_mut(outputs).enumerate() {
        y.iter_mut().zip(columns.chunks_exact(rows)).for_each(|(y, column)| *y = column[r]);
    }
    y
}

/// Rows `first ..` of the weights by every row of activations: `y` `[outputs, rows]`.
fn dots(weight: &QuantizedMatrix<'_>, first: usize, x: &[ActivationBlock], y: &mut [f32]) {
    match weight.format() {
        Format::Int8 => each_dot(&mut Int8, weight, first, x, y),
        Format::Q8_0 => each_dot(&mut Q8_0, weight, first, x, y),
        Format::Q4K => each_dot(&mut Q4K, weight, first, x, y),
        Format::Q4_1 => each_dot(&mut Blocks32::<Q4_1_BYTES, Q4_1>(PhantomData), weight, first, x, y),
        Format::Q5_0 => each_dot(&mut Blocks32::<Q5_0_BYTES, Q5_0>(PhantomData), weight, first, x, y),
        Format::Q5_1 => each_dot(&mut Blocks32::<Q5_1_BYTES, Q5_1>(PhantomData), weight, first, x, y),
        format => each_dot(&mut Unpacked { format, block: WeightBlock::ZERO }, weight, first, x, y),
    }
}

#[inline(always)]
fn each_dot_body<F: Fma, D: RowDot>(
    dot: &mut D,
    weight: &QuantizedMatrix<'_>,
    first: usize,
    x: &[ActivationBlock],
    y: &mut [f32],
) {
    let blocks = weight.blocks();
    for (o, y) in y.chunks_exact_mut(x.len() / blocks).enumerate() {
        for (y, x) in y.iter_mut().zip(x.chunks_exact(blocks)) {
            let mut total = Total::ZERO;
            dot.add::<F>(weight.row(first + o), x, &mut total);
            *y = total.lanes.iter().sum::<f32>() - total.minimums.iter().sum::<f32>();
        }
    }
}
dispatch!(
    fn each_dot[D: RowDot][D](
        dot: &mut D,
        weight: &QuantizedMatrix<'_>,
        first: usize,
        x: &[ActivationBlock],
        y: &mut [f32],
    ) = each_dot_body
);

/// The sum of a row of weights and a row of activations, block by block.
struct Total {
    lanes: [f32; LANES],
    /// To be subtracted, by sub-blocks.
    minimums: [f32; SUBBLOCKS],
}

impl Total {
    const ZERO: Self = Self { lanes: [0.0; LANES], minimums: [0.0; SUBBLOCKS] };

    #[inline(always)]
    fn subtract(&mut self, minimums: [f32; SUBBLOCKS], scale: f32, x: &ActivationBlock) {
        let scale = scale * x.scale;
        for ((total, minimum), sum) in self.minimums.iter_mut().zip(minimums).zip(x.sums) {
            *total += minimum * sum * scale;
        }
    }
}

/// How a stored row is multiplied. Traits, not closures: these must be compiled for the instruction set of their caller, and a
/// closure that is not inlined is not.
trait RowDot {
    /// Adds the row by `x`.
    fn add<F: Fma>(&mut self, row: &[u8], x: &[ActivationBlock], total: &mut Total);
}

struct Int8;

impl RowDot for Int8 {
    #[inline(always)]
    fn add<F: Fma>(&mut self, row: &[u8], x: &[ActivationBlock], total: &mut Total) {
        for (block, x) in row.as_chunks::<INT8_BYTES>().0.iter().zip(x) {
            prefetch::<F>(block);
            if let (Some((codes, _)), Some(scale)) = (block.split_first_chunk(), block.last_chunk()) {
                add_scaled::<F>(
                    dot_codes::<F, BLOCK>(codes, &x.values),
                    f32::from_le_bytes(*scale) * x.scale,
                    &mut total.lanes,
                );
            }
        }
    }
}

struct Q8_0;

impl RowDot for Q8_0 {
    #[inline(always)]
    fn add<F: Fma>(&mut self, row: &[u8], x: &[ActivationBlock], total: &mut Total) {
        let (whole, rest) = row.as_chunks::<{ SUBBLOCKS * Q8_0_BYTES }>();
        for (blocks, x) in whole.iter().zip(x) {
            prefetch::<F>(blocks);
            if let Some(blocks) = blocks.as_chunks().0.first_chunk() {
                Self::add_four::<F>(blocks, x, total);
            }
        }
        if let (false, Some(x)) = (rest.is_empty(), x.last()) {
            let mut blocks = [[0; Q8_0_BYTES]; SUBBLOCKS]; // zeros add nothing
            blocks.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
            Self::add_four::<F>(&blocks, x, total);
        }
    }
}

impl Q8_0 {
    /// The stored blocks that make up a block, each with its scale.
    #[inline(always)]
    fn add_four<F: Fma>(blocks: &[[u8; Q8_0_BYTES]; SUBBLOCKS], x: &ActivationBlock, total: &mut Total) {
        let mut part = Total::ZERO;
        for (block, values) in blocks.iter().zip(x.values.as_chunks::<SUBBLOCK>().0) {
            let scale = widen_half::<F>([block[0], block[1]]);
            if let Some(codes) = block.last_chunk() {
                add_scaled::<F>(dot_codes::<F, SUBBLOCK>(codes, values), scale * x.scale, &mut part.lanes);
            }
        }
        total.lanes.iter_mut().zip(part.lanes).for_each(|(total, part)| *total += part);
    }
}

/// Stored blocks of 32, each by its own scale and minimum.
struct Blocks32<const BYTES: usize, B>(PhantomData<B>);

impl<const BYTES: usize, B: Block32<BYTES>> RowDot for Blocks32<BYTES, B> {
    #[inline(always)]
    fn add<F: Fma>(&mut self, row: &[u8], x: &[ActivationBlock], total: &mut Total) {
        for (blocks, x) in row.as_chunks::<BYTES>().0.chunks(SUBBLOCKS).zip(x) {
            prefetch::<F>(blocks.as_flattened());
            let mut minimums = [0.0; SUBBLOCKS];
            let values = x.values.as_chunks::<SUBBLOCK>().0;
            for ((block, values), to) in blocks.iter().zip(values).zip(&mut minimums) {
                let (scale, minimum) = B::scale_and_minimum::<F>(block);
                let dot = dot_codes::<F, SUBBLOCK>(&B::codes(block), values);
                add_scaled::<F>(dot, scale * x.scale, &mut total.lanes);
                *to = -minimum;
            }
            if B::HAS_MINIMUM {
                total.subtract(minimums, 1.0, x);
            }
        }
    }
}

struct Q4K;

impl RowDot for Q4K {
    /// A stored block, of two: `d, dmin` (f16), 12 bytes of scales and minimums, 128 of nibbles.
    #[inline(always)]
    fn add<F: Fma>(&mut self, row: &[u8], x: &[ActivationBlock], total: &mut Total) {
        for (block, x) in row.as_chunks::<Q4K_BYTES>().0.iter().zip(x.as_chunks::<2>().0) {
            prefetch::<F>(block);
            let scale = widen_half::<F>([block[0], block[1]]);
            let minimum_scale = widen_half::<F>([block[2], block[3]]);
            let [first, second] = scales_and_minimums(std::array::from_fn(|i| block[4 + i]));
            let by = [scale, minimum_scale];
            add_half::<F>(first, by, &block[16..], &x[0], total);
            add_half::<F>(second, by, &block[16 + BLOCK / 2..], &x[1], total);
        }
    }
}

/// Half a `Q4_K` block.
#[inline(always)]
fn add_half<F: Fma>(
    (scales, minimums): Packed,
    [scale, minimum_scale]: [f32; 2],
    nibbles: &[u8],
    x: &ActivationBlock,
    total: &mut Total,
) {
    if let Some(nibbles) = nibbles.first_chunk() {
        add_scaled::<F>(dot_nibbles::<F>(nibbles, scales, x), scale * x.scale, &mut total.lanes);
        total.subtract(minimums.map(f32::from), minimum_scale, x);
    }
}

struct Unpacked {
    format: Format,
    block: WeightBlock,
}

impl RowDot for Unpacked {
    #[inline(always)]
    fn add<F: Fma>(&mut self, row: &[u8], x: &[ActivationBlock], total: &mut Total) {
        let block = &mut self.block;
        for (index, x) in x.iter().enumerate() {
            self.format.unpack::<F>(row, index, block);
            add_scaled::<F>(dot::<F>(&block.values, &x.values), block.scale * x.scale, &mut total.lanes);
            if self.format.has_minimums() {
                total.subtract(block.minimums, block.minimum_scale, x);
            }
        }
    }
}
