//! Attention and sums of its weights, by tensor operations.

use super::wide;
use crate::backend::attention::{AttentionInput, MassQuery};
use candle_core::{D, DType, Result, Tensor};

/// Added to the score of a key that a query does not see.
const HIDDEN: f32 = -1e30;

/// Keys of a tile.
const KEY_TILE: usize = 1024;

/// `[batch, tokens, heads * head_dim]`: tiles of keys with an online softmax (arXiv 1805.02867), so that without gradients
/// memory does not grow with the number of keys.
pub(in crate::backend) fn attention(input: &AttentionInput<'_>) -> Result<Tensor> {
    let (batch, tokens, heads, head_dim) = input.queries.dims4()?;
    let (_, kv_heads, keys, _) = input.keys.dims4()?;
    let group = heads / kv_heads;
    let scale = 1.0 / (head_dim as f64).sqrt();
    let q = (wide(input.queries)?.transpose(1, 2)? * scale)?;
    let q = q.contiguous()?.reshape((batch, kv_heads, group * tokens, head_dim))?;
    let rows = (batch, kv_heads, group * tokens, 1);
    let (dtype, device) = (q.dtype(), q.device());
    let mut output = Tensor::zeros((batch, kv_heads, group * tokens, head_dim), dtype, device)?;
    let mut maximum = Tensor::full(HIDDEN, rows, device)?.to_dtype(dtype)?;
    let mut sum = Tensor::zeros(rows, dtype, device)?;
    let end = input.causal_offset.map_or(keys, |offset| offset + tokens);
    for first in (0..end).step_by(KEY_TILE) {
        let count = KEY_TILE.min(end - first);
        let tile = |t: &Tensor| t.narrow(2, first, count)?.to_dtype(dtype)?.contiguous();
        let mut scores = q.matmul(&tile(input.keys)?.t()?)?;
        if let Some(offset) = input.causal_offset
            && first + count > offset + 1
        {
            let mask = causal_mask(offset, tokens, first, count, device)?.to_dtype(dtype)?;
            let by_token = scores.reshape((batch * kv_heads * group, tokens, count))?;
            scores = by_token.broadcast_add(&mask)?.reshape(scores.shape())?;
        }
        // The result does not depend on what is subtracted, so no gradient need flow through it.
        let new_maximum = maximum.maximum(&scores.detach().max_keepdim(D::Minus1)?)?;
        let weights = scores.broadcast_sub(&new_maximum)?.exp()?;
        let keep = (maximum - &new_maximum)?.exp()?;
        sum = ((sum * &keep)? + weights.sum_keepdim(D::Minus1)?)?;
        output = (output.broadcast_mul(&keep)? + weights.matmul(&tile(input.values)?)?)?;
        maximum = new_maximum;
    }
    let out = output.broadcast_div(&sum)?.reshape((batch, heads, tokens, head_dim))?;
    out.transpose(1, 2)?
        .contiguous()?
        .reshape((batch, tokens, heads * head_dim))?
        .to_dtype(input.queries.dtype())
}

/// 0 where query `offset + row` sees key `first + column`, else a large negative number: `[tokens, keys]`.
fn causal_mask(
    offset: usize,
    tokens: usize,
    first: usize,
    keys: usize,
    device: &candle_core::Device,
) -> Result<Tensor> {
    let mask =
        (0..tokens).flat_map(|t| (0..keys).map(move |k| if first + k <= offset + t { 0f32 } else { HIDDEN }));
    Tensor::from_vec(mask.collect(), (tokens, keys), device)
}

/// `[chosen_heads, spans]`.
pub(in crate::backend) fn attention_mass(ask: &MassQuery<'_>, keys: &Tensor) -> Result<Vec<f32>> {
    let (heads, head_dim) = ask.query.dims2()?;
    let kv_heads = keys.dim(1)?;
    let query = (ask.query.to_dtype(DType::F32)? * (1.0 / (head_dim as f64).sqrt()))?;
    let query = query.reshape((kv_heads, heads / kv_heads, head_dim))?;
    let keys = keys.squeeze(0)?.narrow(1, 0, ask.key_tokens)?.to_dtype(DType::F32)?.contiguous()?;
    let scores = query.matmul(&keys.t()?)?;
    let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    let weights = weights.reshape((heads, ask.key_tokens))?.to_vec2::<f32>()?;
    let sums = |head: &usize| {
        let row = &weights[*head];
        ask.spans.iter().map(|span| row[span.clone()].iter().sum::<f32>()).collect::<Vec<f32>>()
    };
    Ok(ask.chosen_heads.iter().flat_map(sums).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backend;
    use candle_core::Device;

    #[test]
    fn tensor_version_equals_the_kernel() {
        let device = Device::Cpu;
        for (tokens, past, causal) in [(5, 2000, true), (9, 0, true), (70, 0, false)] {
            let q = Tensor::randn(0f32, 1., (2, tokens, 6, 8), &device).unwrap();
            let k = Tensor::randn(0f32, 1., (2, 2, tokens + past, 8), &device).unwrap();
            let v = Tensor::randn(0f32, 1., (2, 2, tokens + past, 8), &device).unwrap();
            let input = AttentionInput {
                queries: &q,
                keys: &k,
                values: &v,
                causal_offset: causal.then_some(past),
                exact: true,
            };
            let difference =
                (Backend::Kernels.attention(&input).unwrap() - attention(&input).unwrap()).unwrap();
            let worst =
                difference.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(worst < 1e-5, "{tokens} {past} {causal}: {worst}");
        }
    }

    #[test]
    fn tensor_version_of_masses_equals_the_kernel() {
        let device = Device::Cpu;
        let query = Tensor::randn(0f32, 1., (6, 8), &device).unwrap();
        let keys = Tensor::randn(0f32, 1., (1, 2, 50, 8), &device).unwrap();
        let spans = [3..10, 10..10, 20..40];
        let ask = MassQuery { query: &query, key_tokens: 40, chosen_heads: &[5, 0, 3], spans: &spans };
        let (kernel, tensors) =
            (Backend::Kernels.attention_mass(&ask, &keys).unwrap(), attention_mass(&ask, &keys).unwrap());
        assert_eq!(kernel.len(), 9);
        assert!(kernel.iter().zip(&tensors).all(|(a, b)| (a - b).abs() < 1e-6), "{kernel:?} {tensors:?}");
        assert!(kernel[1] == 0.0 && kernel[0] > 0.0);
    }
}
