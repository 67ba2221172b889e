//! A tile's products in f32.

use super::call::{Attention, KEY_TILE, Task};
use super::softmax::{exp_row, row_maximum};

/// Rows a tile.
pub(super) const QUERY_ROWS: usize = 192;

/// Scratch of one task.
pub(super) struct Tile {
    queries: Vec<f32>,
    scores: Vec<f32>,
    keys: Vec<f32>,
    output: Vec<f32>,
    maximum: Vec<f32>,
    sum: Vec<f32>,
}

impl Task for Tile {
    fn new(rows: usize, head_dim: usize) -> Self {
        Self {
            queries: vec![0.0; rows * head_dim],
            scores: vec![0.0; rows * KEY_TILE],
            keys: vec![0.0; KEY_TILE * head_dim],
            output: vec![0.0; rows * head_dim],
            maximum: vec![0.0; rows],
            sum: vec![0.0; rows],
        }
    }

    fn run(&mut self, a: &Attention<'_>, kv_head: usize, start: usize, count: usize) {
        let group = a.heads / a.kv_heads;
        let rows = count * group;
        let group_width = group * a.head_dim;
        for token in 0..count {
            let from =
                &a.queries[(start + token) * a.heads * a.head_dim + kv_head * group_width..][..group_width];
            let to = &mut self.queries[token * group_width..][..group_width];
            to.iter_mut().zip(from).for_each(|(t, f)| *t = f * a.scale);
        }
        self.output[..rows * a.head_dim].fill(0.0);
        self.maximum[..rows].fill(f32::NEG_INFINITY);
        self.sum[..rows].fill(0.0);
        let end = a.causal_offset.map_or(a.key_tokens, |offset| offset + start + count);
        for first_key in (0..end).step_by(KEY_TILE) {
            let keys = KEY_TILE.min(end - first_key);
            self.score(a, kv_head, first_key, keys, rows);
            if let Some(offset) = a.causal_offset {
                self.mask(offset + start, group, first_key, keys, count);
            }
            self.softmax(keys, rows, a.head_dim);
            self.accumulate(a, kv_head, first_key, keys, rows);
        }
    }

    fn row(&self, row: usize, head_dim: usize) -> (&[f32], f32) {
        (&self.output[row * head_dim..][..head_dim], self.sum[row])
    }
}

impl Tile {
    /// scores = queries keys^T for one tile of keys.
    fn score(&mut self, a: &Attention<'_>, kv_head: usize, first_key: usize, keys: usize, rows: usize) {
        let (k, stride) = a.keys.gather(kv_head, first_key, keys, a.head_dim, &mut self.keys);
        assert!(self.scores.len() >= rows * keys && self.queries.len() >= rows * a.head_dim);
        // SAFETY: the buffers hold rows x keys scores, rows x head_dim queries and (by `gather`) the keys.
        #[allow(unsafe_code)]
        unsafe {
            gemm::gemm(
                rows,
                keys,
                a.head_dim,
                self.scores.as_mut_ptr(),
                1,
                keys as isize,
                false,
                self.queries.as_ptr(),
                1,
                a.head_dim as isize,
                k,
                stride as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }

    /// Hides the keys after each query: `position` is that of the tile's first token.
    fn mask(&mut self, position: usize, group: usize, first_key: usize, keys: usize, count: usize) {
        for token in 0..count {
            let visible = (position + token + 1).saturating_sub(first_key).min(keys);
            if visible < keys {
                for head in 0..group {
                    let row = &mut self.scores[(token * group + head) * keys..][..keys];
                    row[visible..].fill(f32::NEG_INFINITY);
                }
            }
        }
    }

    /// Turns scores into weights against the running maximum, and rescales what was gathered before.
    fn softmax(&mut self, keys: usize, rows: usize, head_dim: usize) {
        for row in 0..rows {
            let scores = &mut self.scores[row * keys..][..keys];
            let maximum = row_maximum(scores).max(self.maximum[row]);
            if maximum == f32::NEG_INFINITY {
                scores.fill(0.0); // nothing visible yet in this row
                continue;
            }
            let sum = exp_row(scores, maximum);
            let keep = if self.maximum[row] == maximum { 1.0 } else { (self.maximum[row] - maximum).exp() };
            if keep != 1.0 {
                self.output[row * head_dim..][..head_dim].iter_mut().for_each(|v| *v *= keep);
            }
            self.sum[row] = self.sum[row] * keep + sum;
            self.maximum[row] = maximum;
        }
    }

    /// output += weights values for one tile.
    fn accumulate(&mut self, a: &Attention<'_>, kv_head: usize, first_key: usize, keys: usize, rows: usize) {
        let (v, stride) = a.values.gather(kv_head, first_key, keys, a.head_dim, &mut self.keys);
        let d = a.head_dim;
        assert!(self.scores.len() >= rows * keys && self.output.len() >= rows * d);
        // SAFETY: the buffers hold rows x keys weights, rows x head_dim outputs and (by `gather`) the values.
        #[allow(unsafe_code)]
        unsafe {
            gemm::gemm(
                rows,
                d,
                keys,
                self.output.as_mut_ptr(),
                1,
                d as isize,
                true,
                self.scores.as_ptr(),
                1,
                keys as isize,
                v,
                1,
                stride as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}
