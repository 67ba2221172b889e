//! Many rows by bf16 weights where the CPU multiplies bf16.

use super::shape::Linear;
use crate::amx::ROWS;
use crate::bf16_tiles::{
    Activations, CHUNK, Multiplier, NO_ACTIVATIONS, NO_WEIGHTS, Pairs, Panel, Weights, cut_row,
};
use crate::simd::{Fma, dispatch};
use crate::tiles::{Aligned, PANEL_TILES, TILE_COLUMNS, Tiling};
use crate::transpose::transpose;
use half::bf16;
use rayon::prelude::*;

/// Chunks a block: its weights take 16 KiB of L1.
const BLOCK_CHUNKS: usize = 4;
const BLOCK: usize = BLOCK_CHUNKS * CHUNK;
/// Most row tiles a task: their activations of one block take 256 KiB of L2, and their results 128.
const MAX_TASK_TILES: usize = 32;

/// One block of a panel.
type Block = [Aligned<[Weights; PANEL_TILES]>; BLOCK_CHUNKS];

/// `x W^T + b`; `weight` is that of `layer`. A result depends on its own row of `x` only.
///
/// # Panics
/// Where there is no [`crate::isa::bf16_unit`].
pub(super) fn product(layer: &Linear<'_>, weight: &[bf16], bias: Option<&[f32]>, x: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let chunks = inputs.div_ceil(CHUNK);
    let packed = pack(x, inputs);
    let tiling = Tiling { rows: x.len() / inputs, outputs, bias, max_task_tiles: MAX_TASK_TILES };
    tiling.run(
        || Box::new([Aligned([NO_WEIGHTS; PANEL_TILES]); BLOCK_CHUNKS]),
        |panel, first_column, tiles, totals| {
            let by = Multiplier::new();
            let tiles = &packed[tiles.start * chunks..tiles.end * chunks];
            for start in (0..chunks).step_by(BLOCK_CHUNKS) {
                let block = start..chunks.min(start + BLOCK_CHUNKS);
                let pairs = (inputs.div_ceil(2) - start * CHUNK / 2).min(BLOCK / 2);
                load(weight, layer, first_column, start * CHUNK, panel);
                for (tile, totals) in tiles.chunks_exact(chunks).zip(&mut *totals) {
                    by.add_four(
                        &tile[block.clone()],
                        Panel { pairs, upper: &panel[..], lower: None },
                        &mut totals.0,
                    );
                }
            }
        },
    )
}

/// `x` `[rows, inputs]` by row tiles, and by chunks within them; what is beyond the last row and input is zero.
fn pack(x: &[f32], inputs: usize) -> Vec<Activations> {
    let (tiles, chunks) = ((x.len() / inputs).div_ceil(ROWS), inputs.div_ceil(CHUNK));
    let mut packed = vec![NO_ACTIVATIONS; tiles * chunks];
    packed.par_chunks_exact_mut(chunks).zip(x.par_chunks(ROWS * inputs)).for_each(|(tile, x)| {
        for (r, row) in x.chunks_exact(inputs).enumerate() {
            cut_row(row, r, tile);
        }
    });
    packed
}

#[inline(always)]
fn load_body<F: Fma>(
    weight: &[bf16],
    layer: &Linear<'_>,
    first_column: usize,
    first_input: usize,
    to: &mut Block,
) {
    let count = BLOCK.min(layer.inputs - first_input);
    let mut rows = [[[bf16::ZERO; 2]; BLOCK / 2]; TILE_COLUMNS];
    let mut pairs: [Pairs; BLOCK / 2] = [[[bf16::ZERO; 2]; TILE_COLUMNS]; BLOCK / 2];
    for tile in 0..PANEL_TILES {
        let first = first_column + tile * TILE_COLUMNS;
        for (output, row) in (first..layer.outputs).zip(&mut rows) {
            let values = &weight[output * layer.inputs + first_input..][..count];
            bytemuck::cast_slice_mut(row)[..count].copy_from_slice(values);
        } // else: whatever is there; these columns are not stored
        transpose::<F, [bf16; 2]>(rows.each_ref().map(|row| &row[..]), &mut pairs);
        for (chunk, pairs) in to.iter_mut().zip(pairs.as_chunks().0) {
            chunk.0[tile] = *pairs;
        }
    }
}
dispatch!(
    /// A block of inputs of the weight rows of a panel; zero beyond the last input.
    fn load(
        weight: &[bf16],
        layer: &Linear<'_>,
        first_column: usize,
        first_input: usize,
        to: &mut Block,
    ) = load_body
);
