//! Where one query's attention goes: softmax weights summed over runs of keys.

use super::softmax::{exp_row, row_maximum};
use crate::KeyValues;
use crate::simd::{Fma, dispatch};
use rayon::prelude::*;
use std::ops::Range;

/// Attention of one query token, of which only sums of weights are wanted.
#[derive(Clone, Copy)]
pub struct AttentionMass<'a> {
    /// The token's query `[heads, head_dim]`, row-major.
    pub query: &'a [f32],
    /// Keys.
    pub keys: KeyValues<'a>,
    /// Query heads.
    pub heads: usize,
    /// Key heads; `heads` is a multiple of it.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Number of keys, all of which the query sees.
    pub key_tokens: usize,
    /// Factor on the scores, 1/sqrt(head_dim) as a rule.
    pub scale: f32,
    /// The query heads that are wanted.
    pub chosen_heads: &'a [usize],
    /// Runs of keys.
    pub spans: &'a [Range<usize>],
}

/// For each chosen head and each span, the sum of softmax(q k^T scale) over the span's keys: `[chosen_heads, spans]`. The sums
/// of spans that cover all keys add up to 1.
///
/// # Panics
/// When the slices are shorter than the shapes say, or a head or a span lies outside them.
pub fn attention_mass(a: &AttentionMass<'_>) -> Vec<f32> {
    assert!(
        a.kv_heads > 0 && a.heads.is_multiple_of(a.kv_heads) && a.query.len() == a.heads * a.head_dim,
        "attention mass: heads or query do not fit"
    );
    assert!(a.chosen_heads.iter().all(|head| *head < a.heads), "attention mass: no such head");
    if a.key_tokens == 0 {
        return vec![0.0; a.chosen_heads.len() * a.spans.len()];
    }
    a.keys.check(a.kv_heads, a.key_tokens, a.head_dim);
    let group = a.heads / a.kv_heads;
    // The chosen heads of one key head together, so that its keys are widened once for all of them.
    let of_kv_head = |kv_head: usize| {
        let chosen = a.chosen_heads.iter().enumerate().filter(|(_, head)| **head / group == kv_head);
        let (places, heads): (Vec<usize>, Vec<usize>) = chosen.map(|(place, head)| (place, *head)).unzip();
        let mut weights = scores(a, kv_head, &heads);
        let sums = weights.iter_mut().map(|weights| {
            let maximum = row_maximum(weights);
            let sum = exp_row(weights, maximum);
            a.spans.iter().map(|span| weights[span.clone()].iter().sum::<f32>() / sum).collect::<Vec<f32>>()
        });
        places.into_iter().zip(sums).collect::<Vec<_>>()
    };
    let parts: Vec<_> = (0..a.kv_heads).into_par_iter().map(of_kv_head).collect();
    let mut masses = vec![0.0; a.chosen_heads.len() * a.spans.len()];
    for (place, sums) in parts.into_iter().flatten() {
        masses[place * a.spans.len()..][..a.spans.len()].copy_from_slice(&sums);
    }
    masses
}

/// q k^T scale over all keys of a key head, for each of `heads`.
fn scores(a: &AttentionMass<'_>, kv_head: usize, heads: &[usize]) -> Vec<Vec<f32>> {
    let query = |head: &usize| {
        let query = &a.query[head * a.head_dim..][..a.head_dim];
        query.iter().map(|q| q * a.scale).collect::<Vec<f32>>()
    };
    let queries: Vec<Vec<f32>> = heads.iter().map(query).collect();
    let mut scores = vec![Vec::with_capacity(a.key_tokens); heads.len()];
    let mut row = vec![0.0; a.head_dim];
    for token in (0..a.key_tokens).take_while(|_| !heads.is_empty()) {
        a.keys.row(kv_head, token, &mut row);
        for (scores, query) in scores.iter_mut().zip(&queries) {
            scores.push(dot(query, &row));
        }
    }
    scores
}

#[inline(always)]
fn dot_body<F: Fma>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (blocks_a, blocks_b) = (a.chunks_exact(16), b.chunks_exact(16));
    let tail = blocks_a.remainder().iter().zip(blocks_b.remainder()).map(|(a, b)| a * b).sum::<f32>();
    for (a, b) in blocks_a.zip(blocks_b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = F::mul_add(*a, *b, *lane);
        }
    }
    lanes.iter().sum::<f32>() + tail
}
dispatch!(fn dot(a: &[f32], b: &[f32]) -> f32 = dot_body);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers::random;
    use crate::{Attention, KvStore, Values, attention};
    use proptest::prelude::*;

    /// Attention itself over values that tell spans apart: value j of a key is 1 where it lies in span j.
    fn reference(a: &AttentionMass<'_>) -> Vec<f32> {
        let width = a.head_dim;
        assert!(a.spans.len() <= width);
        let mut values = vec![0.0; a.kv_heads * a.key_tokens * width];
        for (j, span) in a.spans.iter().enumerate() {
            for token in span.clone() {
                (0..a.kv_heads).for_each(|head| values[(head * a.key_tokens + token) * width + j] = 1.0);
            }
        }
        let values = KeyValues {
            values: KvStore::Float(Values::F32(&values)),
            head_stride: a.key_tokens * width,
            token_stride: width,
        };
        let call = Attention {
            queries: a.query,
            keys: a.keys,
            values,
            heads: a.heads,
            kv_heads: a.kv_heads,
            head_dim: width,
            key_tokens: a.key_tokens,
            causal_offset: None,
            scale: a.scale,
            exact: true,
        };
        let mut out = vec![0.0; a.query.len()];
        attention(&call, &mut out);
        let row = |head: &usize| out[head * width..][..a.spans.len()].to_vec();
        a.chosen_heads.iter().flat_map(row).collect()
    }

    proptest! {
        #[test]
        fn is_attention_over_values_that_mark_the_spans(
            keys in 1usize..700, kv_heads in 1usize..4, group in 1usize..4, seed in 1u64..1000, cuts in prop::collection::vec(0f64..1.0, 0..5),
        ) {
            let (heads, head_dim) = (kv_heads * group, 20);
            let query = random(heads * head_dim, seed);
            let stored = random(kv_heads * keys * head_dim, seed + 1);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * keys as f64) as usize).collect();
            cuts.extend([0, keys]);
            cuts.sort_unstable();
            let spans: Vec<_> = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
            let chosen: Vec<usize> = (0..heads).rev().step_by(2).collect();
            let call = AttentionMass {
                query: &query,
                keys: KeyValues {
                    values: KvStore::Float(Values::F32(&stored)),
                    head_stride: keys * head_dim,
                    token_stride: head_dim,
                },
                heads, kv_heads, head_dim,
                key_tokens: keys,
                scale: 0.3,
                chosen_heads: &chosen,
                spans: &spans,
            };
            let masses = attention_mass(&call);
            for (mass, expected) in masses.iter().zip(reference(&call)) {
                prop_assert!((mass - expected).abs() < 1e-5, "{mass} is not {expected}");
            }
            for head in masses.chunks_exact(spans.len()) {
                prop_assert!((head.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            }
        }
    }
}
