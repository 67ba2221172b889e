//! How a product of many rows is cut: a task multiplies a run of row tiles by one panel of weight rows, and keeps the results
//! in its cache until they are whole (Goto & van de Geijn, doi 10.1145/1356052.1356053).

use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Up to this many rows each weight row is read once and dotted with them (decoding); above, tiles are multiplied (prefill and
/// the vision tower).
pub(crate) const MAX_DOT_ROWS: usize = 4;
/// Activation rows a tile in vectors: what the registers of AVX2 hold the sums of, in two passes.
pub(crate) const TILE_ROWS: usize = 12;
/// Activation rows a tile of AMX: all that a register has.
pub(crate) const AMX_TILE_ROWS: usize = 16;
/// Weight rows (columns of the result) a tile.
pub(crate) const TILE_COLUMNS: usize = 16;
/// Column tiles a panel.
pub(crate) const PANEL_TILES: usize = 4;
/// Weight rows a panel.
pub(crate) const PANEL: usize = PANEL_TILES * TILE_COLUMNS;

/// The results of one tile.
pub(crate) type Tile<const ROWS: usize = TILE_ROWS> = [[f32; TILE_COLUMNS]; ROWS];
/// The results of a row tile for a panel.
pub(crate) type Totals<const ROWS: usize = TILE_ROWS> = Aligned<[Tile<ROWS>; PANEL_TILES]>;

/// Begins at a cache line, so that no vector of 64 bytes lies across two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Aligned<T>(pub(crate) T);

/// `y [rows, outputs]`, cut.
pub(crate) struct Tiling<'a> {
    pub(crate) rows: usize,
    pub(crate) outputs: usize,
    /// Added to every row: `[outputs]`.
    pub(crate) bias: Option<&'a [f32]>,
    /// Most row tiles a task.
    pub(crate) max_task_tiles: usize,
}

/// The results as a raw pointer that tasks write disjoint parts of.
struct Target(*mut f32);
// SAFETY: every task of `run` writes the rows and columns of its own only, and the results outlive them all.
#[allow(unsafe_code)]
unsafe impl Sync for Target {}

impl Tiling<'_> {
    /// `y`: `multiply` adds to zeroed totals the results of its row tiles for the panel that begins at a column.
    /// The borders do not depend on the number of threads.
    pub(crate) fn run<const ROWS: usize, S>(
        &self,
        scratch: impl Fn() -> S + Sync + Send,
        multiply: impl Fn(&mut S, usize, Range<usize>, &mut [Totals<ROWS>]) + Sync + Send,
    ) -> Vec<f32> {
        assert!(self.bias.is_none_or(|bias| bias.len() == self.outputs));
        let tiles = self.rows.div_ceil(ROWS);
        let task_tiles = tiles.div_ceil(tiles.div_ceil(self.max_task_tiles).max(1)).max(1);
        let (chunks, panels) = (tiles.div_ceil(task_tiles), self.outputs.div_ceil(PANEL));
        // Not zeroed first: that is a pass over memory, which a small product feels.
        let count = self.rows * self.outputs;
        let mut y = Vec::with_capacity(count);
        let target = Target(y.as_mut_ptr());
        // Panel after panel for the same rows: these stay in L3 meanwhile.
        (0..panels * chunks).into_par_iter().for_each_init(
            || (scratch(), Vec::with_capacity(task_tiles)),
            |(scratch, totals), task| {
                let (first_column, first_tile) = (task % panels * PANEL, task / panels * task_tiles);
                let range = first_tile..tiles.min(first_tile + task_tiles);
                totals.clear();
                totals.resize(range.len(), Aligned([[[0.0; TILE_COLUMNS]; ROWS]; PANEL_TILES]));
                multiply(scratch, first_column, range, totals);
                self.store(&target, first_column, first_tile, totals);
            },
        );
        // SAFETY: there is room for `count`, and the tasks have written every row and column.
        #[allow(unsafe_code)]
        unsafe {
            y.set_len(count);
        }
        y
    }

    fn store<const ROWS: usize>(
        &self,
        Target(y): &Target,
        first_column: usize,
        first_tile: usize,
        totals: &[Totals<ROWS>],
    ) {
        let columns = PANEL.min(self.outputs - first_column);
        let first_row = first_tile * ROWS;
        for row in first_row..self.rows.min(first_row + totals.len() * ROWS) {
            // SAFETY: row < rows and first_column + columns <= outputs: room for results, and this task's alone.
            #[allow(unsafe_code)]
            let y = unsafe {
                std::slice::from_raw_parts_mut(y.add(row * self.outputs + first_column).cast(), columns)
            };
            let tiles = &totals[row / ROWS - first_tile].0;
            let result = |tile: usize| {
                let mut total = tiles[tile][row % ROWS];
                if let Some(bias) = self.bias {
                    let bias = &bias[first_column + tile * TILE_COLUMNS..];
                    total.iter_mut().zip(bias).for_each(|(v, b)| *v += b);
                }
                total.map(MaybeUninit::new)
            };
            let (whole, rest) = y.as_chunks_mut();
            whole.iter_mut().enumerate().for_each(|(tile, y)| *y = result(tile));
            if !rest.is_empty() {
                rest.copy_from_slice(&result(whole.len())[..rest.len()]);
            }
        }
    }
}
