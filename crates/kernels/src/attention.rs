//! Tiled attention with online softmax: never holds more than one tile of scores a task.
//!
//! Grouped-query aware: the query heads that share a key head are stacked into one tile, so keys are widened once for
//! all of them. Online softmax: Milakov & Gimelshein, arXiv 1805.02867; tiling as in FlashAttention, arXiv 2205.14135.

use crate::KeyValues;
use crate::simd::{Fma, dispatch, exp};
use rayon::prelude::*;

/// Keys a tile.
const KEY_TILE: usize = 256;
/// Rows (query tokens x query heads a key head) a tile, about.
const QUERY_ROWS: usize = 192;

/// One attention call over a single sequence.
#[derive(Clone, Copy)]
pub struct Attention<'a> {
    /// Queries `[queries, heads, head_dim]`, row-major.
    pub queries: &'a [f32],
    /// Keys.
    pub keys: KeyValues<'a>,
    /// Values.
    pub values: KeyValues<'a>,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; `heads` is a multiple of it.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Number of keys.
    pub key_tokens: usize,
    /// Position of query 0 among the keys: query i sees keys `0 ..= offset + i`. None: every query sees every key.
    pub causal_offset: Option<usize>,
    /// Factor on the scores, 1/sqrt(head_dim) as a rule.
    pub scale: f32,
}

/// Scratch of one task.
struct Tile {
    queries: Vec<f32>,
    scores: Vec<f32>,
    keys: Vec<f32>,
    output: Vec<f32>,
    maximum: Vec<f32>,
    sum: Vec<f32>,
}

/// Writes softmax(q k^T scale + mask) v into `out` `[queries, heads, head_dim]`.
///
/// # Panics
/// When the slices are shorter than the shapes say, or heads is not a multiple of kv_heads.
pub fn attention(a: &Attention<'_>, out: &mut [f32]) {
    let width = a.heads * a.head_dim;
    let tokens = a.queries.len() / width.max(1);
    assert!(
        a.queries.len() == tokens * width && out.len() == a.queries.len(),
        "attention: queries and out differ"
    );
    assert!(
        a.kv_heads > 0 && a.heads.is_multiple_of(a.kv_heads),
        "attention: heads is not a multiple of kv_heads"
    );
    assert!(a.causal_offset.is_none_or(|o| o + tokens <= a.key_tokens), "attention: fewer keys than queries");
    for kv in [&a.keys, &a.values] {
        kv.check(a.kv_heads, a.key_tokens, a.head_dim);
    }
    let group = a.heads / a.kv_heads;
    let tile_tokens = (QUERY_ROWS / group).clamp(1, tokens.max(1));
    let target = Output { data: out.as_mut_ptr(), width };
    let tasks = a.kv_heads * tokens.div_ceil(tile_tokens);
    // Later query tiles see more keys, so they start first: the last task to end is then a short one.
    (0..tasks).into_par_iter().with_max_len(1).for_each_init(
        || Tile::new(tile_tokens * group, a.head_dim),
        |tile, task| {
            let kv_head = task % a.kv_heads;
            let start = (tokens.div_ceil(tile_tokens) - 1 - task / a.kv_heads) * tile_tokens;
            let count = tile_tokens.min(tokens - start);
            tile.run(a, kv_head, start, count);
            target.store(a, tile, kv_head, start, count);
        },
    );
}

struct Output {
    data: *mut f32,
    width: usize,
}
// SAFETY: each task stores the heads and tokens of its own tile, which no other task has.
#[allow(unsafe_code)]
unsafe impl Sync for Output {}

impl Output {
    fn store(&self, a: &Attention<'_>, tile: &Tile, kv_head: usize, start: usize, count: usize) {
        let group = a.heads / a.kv_heads;
        for token in 0..count {
            let at = (start + token) * self.width + kv_head * group * a.head_dim;
            let from = &tile.output[token * group * a.head_dim..][..group * a.head_dim];
            // SAFETY: start + token < tokens and the group's heads lie inside one row of `width`.
            #[allow(unsafe_code)]
            let row = unsafe { std::slice::from_raw_parts_mut(self.data.add(at), group * a.head_dim) };
            for (head, (to, from)) in
                row.chunks_exact_mut(a.head_dim).zip(from.chunks_exact(a.head_dim)).enumerate()
            {
                let scale = 1.0 / tile.sum[token * group + head];
                to.iter_mut().zip(from).for_each(|(t, f)| *t = f * scale);
            }
        }
    }
}

impl Tile {
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

    /// Attention of `count` query tokens from `start` for the query heads of one key head; leaves the output unnormalised.
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

#[inline(always)]
fn row_maximum_body<F: Fma>(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let blocks = row.chunks_exact(16);
    let tail = blocks.remainder().iter().fold(f32::NEG_INFINITY, |m, v| if *v > m { *v } else { m });
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(m, v)| *m = if *v > *m { *v } else { *m });
    }
    lanes.into_iter().fold(tail, f32::max)
}
dispatch!(pub(crate) fn row_maximum(row: &[f32]) -> f32 = row_maximum_body);

/// row = e^(row - maximum); returns the sum.
#[inline(always)]
fn exp_row_body<F: Fma>(row: &mut [f32], maximum: f32) -> f32 {
    let mut sums = [0f32; 16];
    let mut blocks = row.chunks_exact_mut(16);
    for block in &mut blocks {
        for (sum, v) in sums.iter_mut().zip(block) {
            *v = exp::<F>(*v - maximum);
            *sum += *v;
        }
    }
    let mut tail = 0.0;
    for v in blocks.into_remainder() {
        *v = exp::<F>(*v - maximum);
        tail += *v;
    }
    sums.iter().sum::<f32>() + tail
}
dispatch!(pub(crate) fn exp_row(row: &mut [f32], maximum: f32) -> f32 = exp_row_body);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers::random;
    use crate::{KvStore, Values};
    use half::bf16;
    use proptest::prelude::*;

    fn quantized(x: &[f32], head_dim: usize) -> (Vec<i8>, Vec<f32>) {
        let mut bytes = vec![0; x.len()];
        let rows = x.chunks_exact(head_dim).zip(bytes.chunks_exact_mut(head_dim));
        let scales = rows.map(|(row, bytes)| crate::quantize_q8(row, bytes)).collect();
        (bytes, scales)
    }

    /// `byte * scale`, written out.
    fn dequantized(bytes: &[i8], scales: &[f32], head_dim: usize) -> Vec<f32> {
        bytes.iter().enumerate().map(|(i, byte)| f32::from(*byte) * scales[i / head_dim]).collect()
    }

    /// The definition, in f64, one query and head at a time.
    fn reference(a: &Attention<'_>, k: &[f32], v: &[f32]) -> Vec<f64> {
        let (d, group) = (a.head_dim, a.heads / a.kv_heads);
        let tokens = a.queries.len() / (a.heads * d);
        let mut out = Vec::new();
        for t in 0..tokens {
            for h in 0..a.heads {
                let q = &a.queries[(t * a.heads + h) * d..][..d];
                let visible = a.causal_offset.map_or(a.key_tokens, |o| o + t + 1);
                let row = |x: &[f32], j: usize| -> Vec<f64> {
                    x[(h / group * a.key_tokens + j) * d..][..d].iter().map(|v| f64::from(*v)).collect()
                };
                let scores: Vec<f64> = (0..visible)
                    .map(|j| {
                        row(k, j).iter().zip(q).map(|(k, q)| k * f64::from(*q)).sum::<f64>()
                            * f64::from(a.scale)
                    })
                    .collect();
                let max = scores.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                let mut o = vec![0.0; d];
                for (j, s) in scores.iter().enumerate() {
                    let w = (s - max).exp() / sum;
                    o.iter_mut().zip(row(v, j)).for_each(|(o, v)| *o += w * v);
                }
                out.extend(o);
            }
        }
        out
    }

    fn check(tokens: usize, past: usize, kv_heads: usize, group: usize, head_dim: usize, causal: bool) {
        let (heads, key_tokens) = (kv_heads * group, tokens + past);
        let q = random(tokens * heads * head_dim, 7);
        let (k, v) =
            (random(kv_heads * key_tokens * head_dim, 8), random(kv_heads * key_tokens * head_dim, 9));
        let round = |x: &[f32]| -> Vec<bf16> { x.iter().map(|v| bf16::from_f32(*v)).collect() };
        let (k16, v16) = (round(&k), round(&v));
        let widen = |x: &[bf16]| -> Vec<f32> { x.iter().map(|v| v.to_f32()).collect() };
        let view = |values| KeyValues { values, head_stride: key_tokens * head_dim, token_stride: head_dim };
        let ((k_bytes, k_scales), (v_bytes, v_scales)) = (quantized(&k, head_dim), quantized(&v, head_dim));
        let (k8, v8) = (
            KvStore::Q8 { bytes: &k_bytes, scales: &k_scales },
            KvStore::Q8 { bytes: &v_bytes, scales: &v_scales },
        );
        let (k8_wide, v8_wide) =
            (dequantized(&k_bytes, &k_scales, head_dim), dequantized(&v_bytes, &v_scales, head_dim));
        let float = KvStore::Float;
        for (keys, values, k, v) in [
            (float(Values::F32(&k)), float(Values::F32(&v)), k.clone(), v.clone()),
            (float(Values::Bf16(&k16)), float(Values::Bf16(&v16)), widen(&k16), widen(&v16)),
            (k8, v8, k8_wide.clone(), v8_wide.clone()),
            (k8, float(Values::F32(&v)), k8_wide, v.clone()),
        ] {
            let call = Attention {
                queries: &q,
                keys: view(keys),
                values: view(values),
                heads,
                kv_heads,
                head_dim,
                key_tokens,
                causal_offset: causal.then_some(past),
                scale: 1.0 / (head_dim as f32).sqrt(),
            };
            let mut out = vec![f32::NAN; q.len()];
            attention(&call, &mut out);
            for (i, (got, expected)) in out.iter().zip(reference(&call, &k, &v)).enumerate() {
                assert!((f64::from(*got) - expected).abs() < 2e-5, "value {i}: {got} is not {expected}");
            }
        }
    }

    #[test]
    fn equals_the_definition_across_tiles() {
        check(300, 0, 2, 1, 8, true);
        check(5, 600, 1, 7, 16, true);
        check(1, 513, 2, 4, 8, true);
        check(257, 40, 2, 3, 72, false);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn equals_the_definition(
            tokens in 1usize..40, past in 0usize..40, kv_heads in 1usize..4, group in 1usize..5,
            half_dim in 1usize..12, causal: bool,
        ) {
            check(tokens, past, kv_heads, group, 2 * half_dim, causal);
        }
    }
}
