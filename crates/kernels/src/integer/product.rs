//! `y = x W^T + b` with quantized weights.

use super::activations::{ActivationBlock, PackedBlock, pack, quantize};
use super::bytes::Bytes;
use super::format::{QuantizedMatrix, WeightBlock};
use super::microkernel::{GROUPS, Multiplier, Pairs, PanelSums, WeightTile};
use super::scaling::{self, Scales};
use super::vector::{LANES, Lanes, dot, dot_codes, prefetch, widen_half};
use super::{BLOCK, Format, SUBBLOCK, SUBBLOCKS};
use crate::Values;
use crate::simd::{Fma, dispatch};
use crate::tiles::{AMX_TILE_ROWS, MAX_DOT_ROWS, PANEL_TILES, TILE_COLUMNS, TILE_ROWS, Tiling, Totals};
use rayon::prelude::*;

/// Weight rows a task of [`dot_rows`].
const DOT_OUTPUTS: usize = 32;
/// Most rows a task: their results for a panel take 132 KiB, their activations of one block as much, so both stay in L2 while
/// the blocks go by. A chunk of 512 tokens is one task a panel.
const MAX_TASK_ROWS: usize = 528;

/// A layer: `weight [outputs, inputs]`, `bias [outputs]`.
#[derive(Clone, Copy)]
pub struct QuantizedLinear<'a> {
    /// The quantized weights.
    pub weight: QuantizedMatrix<'a>,
    /// `[outputs]`, or none.
    pub bias: Option<Values<'a>>,
}

/// `x W^T + b`, `[rows, outputs]`, of `x` `[rows, inputs]`. Every result depends on its own row of `x`
/// only, and on whether there are more than four rows.
///
/// # Panics
/// When the slices do not have the shape that `layer` says.
pub fn quantized_linear(layer: &QuantizedLinear<'_>, x: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (layer.weight.inputs(), layer.weight.outputs());
    let rows = x.len() / inputs.max(1);
    assert!(x.len() == rows * inputs, "quantized_linear: shapes do not agree");
    let bias = layer.bias.map(|bias| bias.to_floats(outputs));
    match rows {
        _ if rows == 0 || outputs == 0 => Vec::new(),
        ..=MAX_DOT_ROWS => dot_rows(&layer.weight, bias.as_deref(), x),
        _ if Bytes::fits() => panels::<AMX_TILE_ROWS, Bytes>(&layer.weight, bias.as_deref(), x),
        _ => panels::<TILE_ROWS, Pairs>(&layer.weight, bias.as_deref(), x),
    }
}

/// Few rows: bound by reading the weights; a row of them stays in the cache for all.
fn dot_rows(weight: &QuantizedMatrix<'_>, bias: Option<&[f32]>, x: &[f32]) -> Vec<f32> {
    let (inputs, outputs, blocks) = (weight.inputs(), weight.outputs(), weight.blocks());
    let rows = x.len() / inputs;
    let mut quantized = vec![ActivationBlock::ZERO; rows * blocks];
    for (to, x) in quantized.chunks_exact_mut(blocks).zip(x.chunks_exact(inputs)) {
        to.iter_mut().zip(x.chunks(BLOCK)).for_each(|(to, x)| quantize(x, to));
    }
    let mut columns = vec![0f32; outputs * rows];
    columns.par_chunks_mut(DOT_OUTPUTS * rows).enumerate().for_each(|(task, columns)| {
        dots(weight, task * DOT_OUTPUTS, &quantized, columns);
    });
    let result = |r: usize, o: usize| columns[o * rows + r] + bias.map_or(0.0, |b| b[o]);
    (0..rows).flat_map(|r| (0..outputs).map(move |o| (r, o))).map(|(r, o)| result(r, o)).collect()
}

/// The sum of a row of weights and a row of activations, block by block.
struct Total {
    lanes: [f32; LANES],
    minimums: f32,
}

impl Total {
    #[inline(always)]
    fn add(&mut self, sums: Lanes, scale: f32) {
        self.lanes.iter_mut().zip(sums).for_each(|(lane, sum)| *lane += sum as f32 * scale);
    }
}

/// Int8 and Q8_0 are read as they are, the others unpacked first.
#[inline(always)]
fn dots_body<F: Fma>(weight: &QuantizedMatrix<'_>, first: usize, x: &[ActivationBlock], y: &mut [f32]) {
    match weight.format() {
        Format::Int8 => each_dot(weight, first, x, y, |row, x, total| {
            for (block, x) in row.as_chunks::<{ BLOCK + 4 }>().0.iter().zip(x) {
                prefetch::<F>(block);
                let (Some((codes, _)), Some(scale)) = (block.split_first_chunk(), block.last_chunk()) else {
                    return;
                };
                total.add(dot_codes::<F, BLOCK>(codes, &x.values), f32::from_le_bytes(*scale) * x.scale);
            }
        }),
        Format::Q8_0 => each_dot(weight, first, x, y, |row, x, total| {
            for (blocks, x) in row.chunks(SUBBLOCKS * 34).zip(x) {
                prefetch::<F>(blocks);
                let mut part = Total { lanes: [0.0; LANES], minimums: 0.0 };
                for (block, values) in
                    blocks.as_chunks::<34>().0.iter().zip(x.values.as_chunks::<SUBBLOCK>().0)
                {
                    let Some(codes) = block.last_chunk() else { return };
                    let scale = widen_half::<F>([block[0], block[1]]) * x.scale;
                    part.add(dot_codes::<F, SUBBLOCK>(codes, values), scale);
                }
                total.lanes.iter_mut().zip(part.lanes).for_each(|(total, part)| *total += part);
            }
        }),
        format => {
            let mut block = WeightBlock::ZERO;
            each_dot(weight, first, x, y, |row, x, total| {
                for (index, x) in x.iter().enumerate() {
                    format.unpack::<F>(row, index, &mut block);
                    total.add(dot::<F>(&block.values, &x.values), block.scale * x.scale);
                    if format.has_minimums() {
                        let minimum: f32 = block.minimums.iter().zip(x.sums).map(|(m, s)| m * s).sum();
                        total.minimums += minimum * (block.minimum_scale * x.scale);
                    }
                }
            });
        }
    }
}

/// Rows `first ..` of the weights by every row of activations: `y` `[outputs, rows]`.
#[inline(always)]
fn each_dot(
    weight: &QuantizedMatrix<'_>,
    first: usize,
    x: &[ActivationBlock],
    y: &mut [f32],
    mut dot: impl FnMut(&[u8], &[ActivationBlock], &mut Total),
) {
    let blocks = weight.blocks();
    for (o, y) in y.chunks_exact_mut(x.len() / blocks).enumerate() {
        for (y, x) in y.iter_mut().zip(x.chunks_exact(blocks)) {
            let mut total = Total { lanes: [0.0; LANES], minimums: 0.0 };
            dot(weight.row(first + o), x, &mut total);
            *y = total.lanes.iter().sum::<f32>() - total.minimums;
        }
    }
}
dispatch!(fn dots(weight: &QuantizedMatrix<'_>, first: usize, x: &[ActivationBlock], y: &mut [f32]) = dots_body);

/// One block of a panel; its integers take 16 KiB.
#[repr(C, align(64))]
struct WeightPanel {
    tiles: [WeightTile; PANEL_TILES],
    scales: [Scales; PANEL_TILES],
}

impl WeightPanel {
    fn zeroed() -> Box<Self> {
        Box::new(Self {
            tiles: [[[[0; 2]; TILE_COLUMNS]; GROUPS]; PANEL_TILES],
            scales: [Scales::ZERO; PANEL_TILES],
        })
    }
}

/// Many rows: the weights of a panel are unpacked block by block.
fn panels<const ROWS: usize, M: Multiplier<ROWS>>(
    weight: &QuantizedMatrix<'_>,
    bias: Option<&[f32]>,
    x: &[f32],
) -> Vec<f32> {
    let (inputs, outputs, blocks, format) =
        (weight.inputs(), weight.outputs(), weight.blocks(), weight.format());
    let packed = pack::<ROWS, M>(x, inputs);
    let tiling = Tiling { rows: x.len() / inputs, outputs, bias, max_task_tiles: MAX_TASK_ROWS / ROWS };
    let scratch = || (WeightPanel::zeroed(), Box::new(PanelSums::ZERO));
    tiling.run(scratch, |(panel, sums), first_column, tiles, totals| {
        let tiles = &packed[tiles.start * blocks..tiles.end * blocks];
        let by = M::new(format.is_narrow());
        for block in 0..blocks {
            unpack_panel(weight, first_column, block, &by, panel);
            for (tile, totals) in tiles.chunks_exact(blocks).zip(&mut *totals) {
                multiply(&by, format, &tile[block], panel, sums, totals);
            }
        }
    })
}

#[inline(always)]
fn unpack_panel_body<F: Fma, const ROWS: usize, M: Multiplier<ROWS>>(
    weight: &QuantizedMatrix<'_>,
    first_column: usize,
    block: usize,
    by: &M,
    to: &mut WeightPanel,
) {
    let mut columns = [WeightBlock::ZERO; TILE_COLUMNS];
    for tile in 0..PANEL_TILES {
        for (c, column) in columns.iter_mut().enumerate() {
            let output = first_column + tile * TILE_COLUMNS + c;
            if output < weight.outputs() {
                weight.unpack::<F>(output, block, column);
            } // else: whatever is there; these columns are not stored
            let scales = &mut to.scales[tile];
            scales.scales.0[c] = column.scale;
            scales.minimum_scales.0[c] = column.minimum_scale;
            for (to, minimum) in scales.minimums.0.iter_mut().zip(column.minimums) {
                to[c] = minimum;
            }
        }
        by.store_columns::<F>(columns.each_ref().map(|c| &c.values), &mut to.tiles[tile]);
    }
}
dispatch!(
    fn unpack_panel[const ROWS: usize, M: Multiplier<ROWS>][ROWS, M](
        weight: &QuantizedMatrix<'_>,
        first_column: usize,
        block: usize,
        by: &M,
        to: &mut WeightPanel,
    ) = unpack_panel_body
);

#[inline(always)]
fn multiply_body<F: Fma, const ROWS: usize, M: Multiplier<ROWS>>(
    by: &M,
    format: Format,
    x: &PackedBlock<ROWS>,
    panel: &WeightPanel,
    sums: &mut PanelSums<ROWS>,
    totals: &mut Totals<ROWS>,
) {
    by.panel_sums(&x.values, &panel.tiles, sums);
    for ((sums, scales), totals) in sums.0.iter().zip(&panel.scales).zip(&mut totals.0) {
        scaling::add(&sums[..by.parts()], scales, x, format.has_minimums(), totals);
    }
}
dispatch!(
    fn multiply[const ROWS: usize, M: Multiplier<ROWS>][ROWS, M](
        by: &M,
        format: Format,
        x: &PackedBlock<ROWS>,
        panel: &WeightPanel,
        sums: &mut PanelSums<ROWS>,
        totals: &mut Totals<ROWS>,
    ) = multiply_body
);

#[cfg(test)]
mod tests;
