//! Attention in tasks: one for a tile of query tokens and a key head.

use super::call::{Attention, Task};
use crate::isa::bf16_unit;
use rayon::prelude::*;

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
    if !a.exact && tokens >= super::bf16::LEAST_TOKENS && bf16_unit().is_some() {
        tasks::<super::bf16::Tile>(a, tokens, super::bf16::QUERY_ROWS, out);
    } else {
        tasks::<super::f32::Tile>(a, tokens, super::f32::QUERY_ROWS, out);
    }
}

/// `query_rows`: query tokens x query heads a key head of a tile, about.
fn tasks<T: Task>(a: &Attention<'_>, tokens: usize, query_rows: usize, out: &mut [f32]) {
    let group = a.heads / a.kv_heads;
    let tile_tokens = (query_rows / group).clamp(1, tokens.max(1));
    let target = Output { data: out.as_mut_ptr(), width: a.heads * a.head_dim };
    let tasks = a.kv_heads * tokens.div_ceil(tile_tokens);
    // Later query tiles see more keys, so they start first: the last task to end is then a short one.
    (0..tasks).into_par_iter().with_max_len(1).for_each_init(
        || T::new(tile_tokens * group, a.head_dim),
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
    fn store(&self, a: &Attention<'_>, tile: &impl Task, kv_head: usize, start: usize, count: usize) {
        let group = a.heads / a.kv_heads;
        for token in 0..count {
            let at = (start + token) * self.width + kv_head * group * a.head_dim;
            // SAFETY: start + token < tokens and the group's heads lie inside one row of `width`.
            #[allow(unsafe_code)]
            let row = unsafe { std::slice::from_raw_parts_mut(self.data.add(at), group * a.head_dim) };
            for (head, to) in row.chunks_exact_mut(a.head_dim).enumerate() {
                let (values, sum) = tile.row(token * group + head, a.head_dim);
                let scale = 1.0 / sum;
                to.iter_mut().zip(values).for_each(|(to, value)| *to = value * scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers::random;
    use crate::{KeyValues, KvStore, Values};
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
                exact: true,
            };
            let expected = reference(&call, &k, &v);
            // Queries and keys rounded to bf16 put scores of about 10 off by hundredths, and so the weights of values of up to 3.
            let is_rounded = bf16_unit() == Some(crate::isa::Unit::Avx512);
            for (exact, allowed) in [(true, 2e-5), (false, if is_rounded { 6e-2 } else { 2e-4 })] {
                let mut out = vec![f32::NAN; q.len()];
                attention(&Attention { exact, ..call }, &mut out);
                for (i, (got, expected)) in out.iter().zip(&expected).enumerate() {
                    assert!(
                        (f64::from(*got) - expected).abs() < allowed,
                        "value {i}: {got} is not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn equals_the_definition_across_tiles() {
        check(300, 0, 2, 1, 8, true);
        check(5, 600, 1, 7, 16, true);
        check(1, 513, 2, 4, 8, true);
        check(257, 40, 2, 3, 72, false);
        check(65, 700, 1, 2, 128, true);
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
