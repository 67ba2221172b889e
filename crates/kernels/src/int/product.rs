//! `y = x W^T + b` with quantized weights.

use super::amx::Amx;
use super::i16::I16;
use super::layout::{GROUPS, PackedBlock, PanelSums, WeightTile};
use super::multiplier::Multiplier;
use super::pack::pack;
use super::q4::Q4;
use super::scaling::Scales;
use super::vnni::Vnni;
use crate::Values;
use crate::prefetch::prefetch_next;
use crate::quantized::QuantizedMatrix;
use crate::quantized::dots::dot_rows;
use crate::quantized::unpack::WeightBlock;
use crate::simd::{Fma, dispatch};
use crate::tiles::{AMX_TILE_ROWS, MAX_DOT_ROWS, PANEL_TILES, TILE_COLUMNS, TILE_ROWS, Tiling, Totals};

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
    let format = layer.weight.format();
    match rows {
        _ if rows == 0 || outputs == 0 => Vec::new(),
        ..=MAX_DOT_ROWS => dot_rows(&layer.weight, bias.as_deref(), x),
        _ if Amx::fits() => panels::<AMX_TILE_ROWS, Amx>(&layer.weight, bias.as_deref(), x),
        _ if Vnni::fits(format) => panels::<TILE_ROWS, Vnni>(&layer.weight, bias.as_deref(), x),
        _ if Q4::fits(format) => panels::<TILE_ROWS, Q4>(&layer.weight, bias.as_deref(), x),
        _ => panels::<TILE_ROWS, I16>(&layer.weight, bias.as_deref(), x),
    }
}

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
    let packed = pack::<ROWS, M>(x, inputs, format.activation_bits());
    let tiling = Tiling { rows: x.len() / inputs, outputs, bias, max_task_tiles: MAX_TASK_ROWS / ROWS };
    let scratch = || (WeightPanel::zeroed(), Box::new(PanelSums::ZERO));
    tiling.run(scratch, |(panel, sums), first_column, tiles, totals| {
        let tiles = &packed[tiles.start * blocks..tiles.end * blocks];
        let by = M::new(format);
        for block in 0..blocks {
            unpack_panel(weight, first_column, block, &by, panel);
            let mut rows = tiles.iter().skip(block).step_by(blocks).peekable();
            for totals in &mut *totals {
                let Some(x) = rows.next() else { break };
                multiply(&by, x, rows.peek().copied(), panel, sums, totals);
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
                if M::TAKES_CODES {
                    weight.unpack_codes::<F>(output, block, column);
                } else {
                    weight.unpack::<F>(output, block, column);
                }
                weight.prefetch::<F>(output, block + 1); // rows lie far apart, and few bytes of each are read in a row
            } // else: whatever is there; these columns are not stored
            let scales = &mut to.scales[tile];
            scales.has_minimums = weight.format().has_minimums();
            scales.scales.0[c] = column.scale;
            scales.minimum_scales.0[c] = column.minimum_scale;
            for (to, minimum) in scales.minimums.0.iter_mut().zip(column.minimums) {
                to[c] = minimum;
            }
        }
        by.store_columns::<F>(&columns, &mut to.tiles[tile]);
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
    x: &PackedBlock<ROWS>,
    next: Option<&PackedBlock<ROWS>>,
    panel: &WeightPanel,
    sums: &mut PanelSums<ROWS>,
    totals: &mut Totals<ROWS>,
) {
    if let Some(next) = next {
        prefetch_next::<F, _>(next); // the blocks of a tile lie together, so it is far away
    }
    by.add(x, &panel.tiles, &panel.scales, sums, totals);
}
dispatch!(
    fn multiply[const ROWS: usize, M: Multiplier<ROWS>][ROWS, M](
        by: &M,
        x: &PackedBlock<ROWS>,
        next: Option<&PackedBlock<ROWS>>,
        panel: &WeightPanel,
        sums: &mut PanelSums<ROWS>,
        totals: &mut Totals<ROWS>,
    ) = multiply_body
);

#[cfg(test)]
mod tests;
