//! Many rows by weights in any storage type: widened weights by packed activations, in f32.

use super::shape::Linear;
use crate::simd::{Fma, dispatch};
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, TILE_ROWS, Tile, Tiling, Totals};
use crate::transpose::transpose;
use rayon::prelude::*;
use std::ops::Range;

/// Inputs a block: the weights of a tile take 8 KiB and its activations 6, so that two threads of a core share its L1.
const BLOCK: usize = 128;
/// Most row tiles a task: their activations of one block take 192 KiB of L2, and their results 96.
const MAX_TASK_TILES: usize = 32;
/// Rows whose sums fill the registers of AVX2, together with their operands; a tile takes two passes.
const PASS_ROWS: usize = TILE_ROWS / 2;

/// Inputs of the rows of a tile: `[inputs][TILE_ROWS]`.
type Activations = [f32; TILE_ROWS];

/// Widened weights of one block and tile, as rows and as they are multiplied.
struct WeightTile {
    rows: [[f32; BLOCK]; TILE_COLUMNS],
    tile: [[f32; TILE_COLUMNS]; BLOCK],
}

/// `x W^T + b`. A result depends on its own row of `x` only.
pub(super) fn product(layer: &Linear<'_>, bias: Option<&[f32]>, x: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let packed = pack(x, inputs);
    let tiling = Tiling { rows: x.len() / inputs, outputs, bias, max_task_tiles: MAX_TASK_TILES };
    let scratch =
        || Box::new(WeightTile { rows: [[0.0; BLOCK]; TILE_COLUMNS], tile: [[0.0; TILE_COLUMNS]; BLOCK] });
    tiling.run(scratch, |weights, first_column, tiles, totals| {
        let tiles = &packed[tiles.start * inputs..tiles.end * inputs];
        for start in (0..inputs).step_by(BLOCK) {
            let block = start..inputs.min(start + BLOCK);
            for column_tile in 0..PANEL_TILES {
                let first = first_column + column_tile * TILE_COLUMNS;
                if first < outputs {
                    widen(layer, first, block.clone(), weights);
                    multiply(tiles, block.clone(), &weights.tile, column_tile, totals);
                }
            }
        }
    })
}

/// `x` `[rows, inputs]` by row tiles `[tiles][inputs]`; rows beyond the last are zero.
fn pack(x: &[f32], inputs: usize) -> Vec<Activations> {
    let tiles = (x.len() / inputs).div_ceil(TILE_ROWS);
    let mut packed: Vec<Activations> = bytemuck::zeroed_vec(tiles * inputs);
    packed.par_chunks_exact_mut(inputs).zip(x.par_chunks(TILE_ROWS * inputs)).for_each(pack_tile);
    packed
}

/// In pieces that stay in L1 while the rows go by.
fn pack_tile((tile, x): (&mut [Activations], &[f32])) {
    const PIECE: usize = 128;
    let inputs = tile.len();
    for (piece, to) in tile.chunks_mut(PIECE).enumerate() {
        for (r, row) in x.chunks_exact(inputs).enumerate() {
            to.iter_mut().zip(&row[piece * PIECE..]).for_each(|(to, x)| to[r] = *x);
        }
    }
}

#[inline(always)]
fn widen_body<F: Fma>(layer: &Linear<'_>, first: usize, block: Range<usize>, to: &mut WeightTile) {
    let count = block.len();
    for (output, row) in (first..layer.outputs).zip(&mut to.rows) {
        layer.weight.part(output * layer.inputs + block.start, count).widen(&mut row[..count]);
    } // else: whatever is there; these columns are not stored
    transpose::<F, f32>(to.rows.each_ref().map(|row| &row[..count]), &mut to.tile[..count]);
}
dispatch!(
    /// A block of inputs of the weight rows from `first` on.
    fn widen(layer: &Linear<'_>, first: usize, block: Range<usize>, to: &mut WeightTile) = widen_body
);

#[inline(always)]
fn multiply_body<F: Fma>(
    tiles: &[Activations],
    block: Range<usize>,
    weights: &[[f32; TILE_COLUMNS]],
    column_tile: usize,
    totals: &mut [Totals],
) {
    let inputs = tiles.len() / totals.len();
    for (tile, totals) in tiles.chunks_exact(inputs).zip(totals) {
        let tile = &tile[block.clone()];
        pass::<F, 0>(tile, weights, &mut totals.0[column_tile]);
        pass::<F, PASS_ROWS>(tile, weights, &mut totals.0[column_tile]);
    }
}

/// The rows from `FIRST` on.
#[inline(always)]
fn pass<F: Fma, const FIRST: usize>(x: &[Activations], weights: &[[f32; TILE_COLUMNS]], totals: &mut Tile) {
    let mut sums = [[0f32; TILE_COLUMNS]; PASS_ROWS];
    for (x, w) in x.iter().zip(weights) {
        for (r, sums) in sums.iter_mut().enumerate() {
            for c in 0..TILE_COLUMNS {
                sums[c] = F::mul_add(x[FIRST + r], w[c], sums[c]);
            }
        }
    }
    for (totals, sums) in totals[FIRST..].iter_mut().zip(sums) {
        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
}
dispatch!(
    /// One block of a tile of weights by all row tiles of a task.
    fn multiply(
        tiles: &[Activations],
        block: Range<usize>,
        weights: &[[f32; TILE_COLUMNS]],
        column_tile: usize,
        totals: &mut [Totals],
    ) = multiply_body
);
