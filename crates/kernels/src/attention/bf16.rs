//! A tile's products in bf16: row tile after row tile, whose scores of the keys stay in L1 until they are weights.

use super::call::{Attention, KEY_TILE, Task};
use super::softmax::{exp_row, row_maximum};
use crate::Values;
use crate::amx::ROWS;
use crate::bf16_tiles::{
    Activations, CHUNK, Multiplier, NO_ACTIVATIONS, NO_WEIGHTS, Pairs, Panel, Sums, Weights, cut, cut_row,
    has_lower_parts,
};
use crate::key_values::{KeyValues, KvStore};
use crate::simd::{Fma, dispatch};
use crate::tiles::{Aligned, PANEL_TILES, TILE_COLUMNS};
use crate::transpose::transpose;
use half::bf16;

/// Fewest query tokens for which keys and values are worth cutting.
pub(super) const LEAST_TOKENS: usize = 16;
/// Rows a tile: cutting keys and values takes as long as multiplying a hundred rows by them.
pub(super) const QUERY_ROWS: usize = 768;
/// Keys a panel of scores.
const PANEL_KEYS: usize = PANEL_TILES * TILE_COLUMNS;
const KEY_PANELS: usize = KEY_TILE / PANEL_KEYS;
const KEY_CHUNKS: usize = KEY_TILE / CHUNK;
const NO_SUMS: Sums = [[0.0; TILE_COLUMNS]; ROWS];

/// Tiles of columns by chunks, cut.
struct Columns<const TILES: usize> {
    upper: Vec<Aligned<[Weights; TILES]>>,
    lower: Vec<Aligned<[Weights; TILES]>>,
    /// Whether the lower parts are multiplied.
    is_cut: bool,
}

impl<const TILES: usize> Columns<TILES> {
    fn new(chunks: usize) -> Self {
        let none = vec![Aligned([NO_WEIGHTS; TILES]); chunks];
        Self { upper: none.clone(), lower: none, is_cut: true }
    }

    /// The first chunks, as many as `count` inputs take, of the run of `stride` that is number `index`.
    fn panel(&self, index: usize, stride: usize, count: usize) -> Panel<'_, TILES> {
        let part = index * stride..index * stride + count.div_ceil(CHUNK);
        let pairs = count.div_ceil(2);
        Panel { pairs, upper: &self.upper[part.clone()], lower: self.is_cut.then(|| &self.lower[part]) }
    }
}

/// Scratch of one task.
pub(super) struct Tile {
    /// `[row tiles][chunks of a head]`
    queries: Vec<Activations>,
    /// `[KEY_PANELS][chunks of a head]`
    keys: Columns<PANEL_TILES>,
    /// Columns of the values by fours, `[fours][KEY_CHUNKS]`, and the rest of them.
    fours: Columns<PANEL_TILES>,
    ones: Columns<1>,
    scores: Vec<Aligned<[Sums; PANEL_TILES]>>,
    weights: Vec<Activations>,
    /// `[row tiles][fours]`, and the rest.
    sums_of_fours: Vec<Aligned<[Sums; PANEL_TILES]>>,
    sums_of_ones: Vec<Aligned<[Sums; 1]>>,
    output: Vec<f32>,
    maximum: Vec<f32>,
    sum: Vec<f32>,
    row: Vec<f32>,
    second_row: Vec<f32>,
    /// Of keys, each as wide as the chunks of a head.
    sixteen_rows: Vec<f32>,
}

/// Tiles of a head's columns: by fours, and the rest.
fn value_tiles(head_dim: usize) -> (usize, usize) {
    let tiles = head_dim.div_ceil(TILE_COLUMNS);
    (tiles / PANEL_TILES, tiles % PANEL_TILES)
}

impl Task for Tile {
    fn new(rows: usize, head_dim: usize) -> Self {
        let (row_tiles, chunks) = (rows.div_ceil(ROWS), head_dim.div_ceil(CHUNK));
        let (fours, ones) = value_tiles(head_dim);
        Self {
            queries: vec![NO_ACTIVATIONS; row_tiles * chunks],
            keys: Columns::new(KEY_PANELS * chunks),
            fours: Columns::new(fours * KEY_CHUNKS),
            ones: Columns::new(ones * KEY_CHUNKS),
            scores: vec![Aligned([NO_SUMS; PANEL_TILES]); KEY_PANELS],
            weights: vec![NO_ACTIVATIONS; KEY_CHUNKS],
            sums_of_fours: vec![Aligned([NO_SUMS; PANEL_TILES]); row_tiles * fours],
            sums_of_ones: vec![Aligned([NO_SUMS; 1]); row_tiles * ones],
            output: vec![0.0; row_tiles * ROWS * head_dim],
            maximum: vec![0.0; row_tiles * ROWS],
            sum: vec![0.0; row_tiles * ROWS],
            row: vec![0.0; KEY_TILE.max(chunks * CHUNK)],
            second_row: vec![0.0; KEY_TILE.max(chunks * CHUNK)],
            sixteen_rows: vec![0.0; TILE_COLUMNS * chunks * CHUNK],
        }
    }

    fn run(&mut self, a: &Attention<'_>, kv_head: usize, start: usize, count: usize) {
        let by = Multiplier::new();
        let group = a.heads / a.kv_heads;
        let row_tiles = (count * group).div_ceil(ROWS);
        self.load_queries(a, kv_head, start, count);
        self.sums_of_fours.fill(Aligned([NO_SUMS; PANEL_TILES]));
        self.sums_of_ones.fill(Aligned([NO_SUMS; 1]));
        self.maximum.fill(f32::NEG_INFINITY);
        self.sum.fill(0.0);
        let end = a.causal_offset.map_or(a.key_tokens, |offset| offset + start + count);
        for first_key in (0..end).step_by(KEY_TILE) {
            let keys = KEY_TILE.min(end - first_key);
            self.load_keys(a, kv_head, first_key, keys);
            self.load_values(a, kv_head, first_key, keys);
            let seen = |row: usize| match a.causal_offset {
                _ if row >= count * group => 0,
                None => keys,
                Some(offset) => (offset + start + row / group + 1).saturating_sub(first_key).min(keys),
            };
            for row_tile in 0..row_tiles {
                let rows = row_tile * ROWS..(row_tile + 1) * ROWS;
                if rows.clone().all(|row| seen(row) == 0) {
                    continue;
                }
                self.score(&by, row_tile, keys, a.head_dim);
                rows.enumerate().for_each(|(r, row)| self.weigh(row_tile, r, seen(row), keys, a.head_dim));
                self.accumulate(&by, row_tile, keys, a.head_dim);
            }
        }
        self.flatten(row_tiles, a.head_dim);
    }

    fn row(&self, row: usize, head_dim: usize) -> (&[f32], f32) {
        (&self.output[row * head_dim..][..head_dim], self.sum[row])
    }
}

impl Tile {
    fn load_queries(&mut self, a: &Attention<'_>, kv_head: usize, start: usize, count: usize) {
        let (d, group) = (a.head_dim, a.heads / a.kv_heads);
        let chunks = d.div_ceil(CHUNK);
        for row in 0..count * group {
            let at = ((start + row / group) * a.heads + kv_head * group + row % group) * d;
            self.row[..d].iter_mut().zip(&a.queries[at..at + d]).for_each(|(to, q)| *to = q * a.scale);
            cut_row(&self.row[..d], row % ROWS, &mut self.queries[row / ROWS * chunks..][..chunks]);
        }
    }

    /// Keys as columns; none beyond the last.
    fn load_keys(&mut self, a: &Attention<'_>, kv_head: usize, first_key: usize, keys: usize) {
        let chunks = a.head_dim.div_ceil(CHUNK);
        self.keys.is_cut = is_cut(&a.keys);
        let rows = &mut self.sixteen_rows;
        for tile in 0..keys.div_ceil(PANEL_KEYS) * PANEL_TILES {
            let first = tile * TILE_COLUMNS;
            for (key, row) in (first..).zip(rows.chunks_exact_mut(chunks * CHUNK)) {
                if key < keys {
                    a.keys.row(kv_head, first_key + key, &mut row[..a.head_dim]);
                } else {
                    row.fill(0.0);
                }
            }
            let at = tile / PANEL_TILES * chunks;
            store_columns(rows, tile % PANEL_TILES, &mut self.keys, at);
        }
    }

    /// Values as rows of columns, two keys at a time; none beyond the last.
    fn load_values(&mut self, a: &Attention<'_>, kv_head: usize, first_key: usize, keys: usize) {
        let (fours, _) = value_tiles(a.head_dim);
        let is_cut = is_cut(&a.values);
        (self.fours.is_cut, self.ones.is_cut) = (is_cut, is_cut);
        for key in (0..keys.div_ceil(CHUNK) * CHUNK).step_by(2) {
            for (key, row) in [(key, &mut self.row), (key + 1, &mut self.second_row)] {
                if key < keys {
                    a.values.row(kv_head, first_key + key, &mut row[..a.head_dim]);
                } else {
                    row[..a.head_dim].fill(0.0);
                }
            }
            let (chunk, pair) = (key / CHUNK, key % CHUNK / 2);
            // Columns beyond the head's are of another's; nobody reads their sums.
            let rows = self.row.as_chunks().0.iter().zip(self.second_row.as_chunks().0);
            for (tile, (first, second)) in rows.enumerate().take(a.head_dim.div_ceil(TILE_COLUMNS)) {
                let mut upper: Pairs = [[bf16::ZERO; 2]; TILE_COLUMNS];
                let mut lower = upper;
                cut_pairs(first, second, &mut upper, &mut lower);
                let (four, in_four) = (tile / PANEL_TILES, tile % PANEL_TILES);
                if four < fours {
                    self.fours.upper[four * KEY_CHUNKS + chunk].0[in_four][pair] = upper;
                    self.fours.lower[four * KEY_CHUNKS + chunk].0[in_four][pair] = lower;
                } else {
                    self.ones.upper[in_four * KEY_CHUNKS + chunk].0[0][pair] = upper;
                    self.ones.lower[in_four * KEY_CHUNKS + chunk].0[0][pair] = lower;
                }
            }
        }
    }

    /// scores = queries keys^T for one row tile.
    fn score(&mut self, by: &Multiplier, row_tile: usize, keys: usize, head_dim: usize) {
        let chunks = head_dim.div_ceil(CHUNK);
        let queries = &self.queries[row_tile * chunks..][..chunks];
        for (panel, scores) in self.scores.iter_mut().enumerate().take(keys.div_ceil(PANEL_KEYS)) {
            scores.0 = [NO_SUMS; PANEL_TILES];
            by.add_four(queries, self.keys.panel(panel, chunks, head_dim), &mut scores.0);
        }
    }

    /// Turns the scores of a row, which sees the first `seen` keys, into weights against the running maximum, and rescales what was
    /// gathered before.
    fn weigh(&mut self, row_tile: usize, r: usize, seen: usize, keys: usize, head_dim: usize) {
        let chunks = keys.div_ceil(CHUNK);
        let (row, index) = (&mut self.row[..chunks * CHUNK], row_tile * ROWS + r);
        let scores = self.scores.iter().flat_map(|panel| &panel.0);
        row.chunks_exact_mut(TILE_COLUMNS).zip(scores).for_each(|(row, tile)| row.copy_from_slice(&tile[r]));
        let maximum = row_maximum(&row[..seen]).max(self.maximum[index]);
        if maximum == f32::NEG_INFINITY {
            row.fill(0.0); // nothing visible yet in this row
        } else {
            let keep =
                if self.maximum[index] == maximum { 1.0 } else { (self.maximum[index] - maximum).exp() };
            self.sum[index] = self.sum[index] * keep + exp_row(&mut row[..seen], maximum);
            self.maximum[index] = maximum;
            if keep != 1.0 {
                let (fours, ones) = value_tiles(head_dim);
                let of_fours =
                    self.sums_of_fours[row_tile * fours..][..fours].iter_mut().flat_map(|s| &mut s.0);
                let of_ones = self.sums_of_ones[row_tile * ones..][..ones].iter_mut().flat_map(|s| &mut s.0);
                of_fours.chain(of_ones).for_each(|tile| tile[r].iter_mut().for_each(|v| *v *= keep));
            }
        }
        row[seen..].fill(0.0);
        cut_row(row, r, &mut self.weights[..chunks]);
    }

    /// sums += weights values for one row tile.
    fn accumulate(&mut self, by: &Multiplier, row_tile: usize, keys: usize, head_dim: usize) {
        let (fours, ones) = value_tiles(head_dim);
        let chunks = keys.div_ceil(CHUNK);
        let weights = &self.weights[..chunks];
        for (i, sums) in self.sums_of_fours[row_tile * fours..][..fours].iter_mut().enumerate() {
            by.add_four(weights, self.fours.panel(i, KEY_CHUNKS, keys), &mut sums.0);
        }
        for (i, sums) in self.sums_of_ones[row_tile * ones..][..ones].iter_mut().enumerate() {
            by.add_one(weights, self.ones.panel(i, KEY_CHUNKS, keys), &mut sums.0);
        }
    }

    /// The sums as rows.
    fn flatten(&mut self, row_tiles: usize, head_dim: usize) {
        let (fours, ones) = value_tiles(head_dim);
        for row in 0..row_tiles * ROWS {
            let (row_tile, r) = (row / ROWS, row % ROWS);
            let of_fours = self.sums_of_fours[row_tile * fours..][..fours].iter().flat_map(|s| &s.0);
            let of_ones = self.sums_of_ones[row_tile * ones..][..ones].iter().flat_map(|s| &s.0);
            let to = self.output[row * head_dim..][..head_dim].chunks_mut(TILE_COLUMNS);
            to.zip(of_fours.chain(of_ones)).for_each(|(to, tile)| to.copy_from_slice(&tile[r][..to.len()]));
        }
    }
}

fn is_cut(stored: &KeyValues<'_>) -> bool {
    has_lower_parts() && !matches!(stored.values, KvStore::Float(Values::Bf16(_)))
}

#[inline(always)]
fn store_columns_body<F: Fma>(rows: &[f32], tile: usize, to: &mut Columns<PANEL_TILES>, at: usize) {
    let width = rows.len() / TILE_COLUMNS;
    let mut upper = [[bf16::ZERO; CHUNK]; TILE_COLUMNS];
    let mut lower = upper;
    for chunk in 0..width / CHUNK {
        for ((row, upper), lower) in rows.chunks_exact(width).zip(&mut upper).zip(&mut lower) {
            cut(&row[chunk * CHUNK..][..CHUNK], upper, lower);
        }
        transpose::<F, [bf16; 2]>(
            upper.each_ref().map(|row| row.as_chunks().0),
            &mut to.upper[at + chunk].0[tile],
        );
        if to.is_cut {
            transpose::<F, [bf16; 2]>(
                lower.each_ref().map(|row| row.as_chunks().0),
                &mut to.lower[at + chunk].0[tile],
            );
        }
    }
}
dispatch!(
    /// Sixteen rows as the columns of a tile, from chunk `at` on.
    fn store_columns(rows: &[f32], tile: usize, to: &mut Columns<PANEL_TILES>, at: usize) = store_columns_body
);

#[inline(always)]
fn cut_pairs_body<F: Fma>(
    first: &[f32; TILE_COLUMNS],
    second: &[f32; TILE_COLUMNS],
    upper: &mut Pairs,
    lower: &mut Pairs,
) {
    let mut uppers = [[bf16::ZERO; TILE_COLUMNS]; 2];
    let mut lowers = uppers;
    cut(first, &mut uppers[0], &mut lowers[0]);
    cut(second, &mut uppers[1], &mut lowers[1]);
    for i in 0..TILE_COLUMNS {
        upper[i] = [uppers[0][i], uppers[1][i]];
        lower[i] = [lowers[0][i], lowers[1][i]];
    }
}
dispatch!(
    /// A row of pairs, from the rows of two keys.
    fn cut_pairs(
        first: &[f32; TILE_COLUMNS],
        second: &[f32; TILE_COLUMNS],
        upper: &mut Pairs,
        lower: &mut Pairs,
    ) = cut_pairs_body
);
