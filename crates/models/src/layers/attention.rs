//! Scaled dot-product attention, causal or not, grouped-query aware: the language model's and the tower's.

use super::cpu::{Operand, run1, run2, run3};
use candle_core::{D, DType, Result, Shape, Tensor, bail};
use longsight_kernels as kernels;
use std::ops::Range;

/// Operands of one attention call over `batch` separate sequences.
pub struct AttentionInput<'a> {
    /// `[batch, tokens, heads, head_dim]`.
    pub queries: &'a Tensor,
    /// `[batch, kv_heads, keys, head_dim]`, any strides with a contiguous last dimension.
    pub keys: &'a Tensor,
    /// As `keys`.
    pub values: &'a Tensor,
    /// Position of the first query among the keys; None lets every query see every key.
    pub causal_offset: Option<usize>,
    /// Whether products are those of f32; else they may come of two bf16 for each factor, where that is faster.
    pub exact: bool,
}

/// softmax(q k^T / sqrt(head_dim) + mask) v: `[batch, tokens, heads * head_dim]`. Scores are never held whole.
pub fn attention(input: &AttentionInput<'_>) -> Result<Tensor> {
    if input.queries.device().is_cpu() {
        let queries = input.queries.contiguous()?;
        return run3("attention", &queries, input.keys, input.values, |q, k, v| {
            let &[_, kv_heads, tokens, _] = k.dims() else { bail!("attention over {:?}", k.dims()) };
            let keys = Keys { kv_heads, tokens, causal_offset: input.causal_offset, exact: input.exact };
            by_kernel(&q, keys, |batch| Ok((key_values(&k, batch)?, key_values(&v, batch)?)))
        });
    }
    tiled(input)
}

/// Operands of attention of one sequence over keys and values that are no tensors; on the CPU only.
pub(crate) struct QuantizedInput<'a> {
    /// `[1, tokens, heads, head_dim]`.
    pub(crate) queries: &'a Tensor,
    /// `[kv_heads, keys, head_dim]`.
    pub(crate) keys: kernels::KeyValues<'a>,
    /// As `keys`.
    pub(crate) values: kernels::KeyValues<'a>,
    /// Heads of keys and values.
    pub(crate) kv_heads: usize,
    /// Number of keys.
    pub(crate) key_tokens: usize,
    /// As in [`AttentionInput`].
    pub(crate) causal_offset: Option<usize>,
}

/// As [`attention`]: `[1, tokens, heads * head_dim]`.
pub(crate) fn attention_quantized(input: &QuantizedInput<'_>) -> Result<Tensor> {
    let keys = Keys {
        kv_heads: input.kv_heads,
        tokens: input.key_tokens,
        causal_offset: input.causal_offset,
        exact: false,
    };
    run1("attention", &input.queries.contiguous()?, |q| {
        by_kernel(&q, keys, |_| Ok((input.keys, input.values)))
    })
}

/// Which sums of attention weights are wanted.
#[derive(Clone, Copy)]
pub(crate) struct MassQuery<'a> {
    /// `[heads, head_dim]`, one token's query.
    pub(crate) query: &'a Tensor,
    /// Number of keys that it sees, from the first.
    pub(crate) key_tokens: usize,
    /// Query heads that are wanted.
    pub(crate) chosen_heads: &'a [usize],
    /// Runs of keys.
    pub(crate) spans: &'a [Range<usize>],
}

/// Sums of softmax(q k^T / sqrt(head_dim)) over each span, `[chosen_heads, spans]`; `keys` `[1, kv_heads, keys, head_dim]`.
pub(crate) fn attention_mass(ask: &MassQuery<'_>, keys: &Tensor) -> Result<Vec<f32>> {
    if !keys.device().is_cpu() {
        return mass_by_tensors(ask, keys);
    }
    let query = ask.query.contiguous()?;
    let masses = run2("attention mass", &query, keys, |q, k| {
        let &[_, kv_heads, ..] = k.dims() else { bail!("attention over {:?}", k.dims()) };
        mass_by_kernel(ask, &q, key_values(&k, 0)?, kv_heads)
    })?;
    masses.flatten_all()?.to_vec1()
}

/// As [`attention_mass`], over keys that are no tensor.
pub(crate) fn attention_mass_quantized(
    ask: &MassQuery<'_>,
    keys: kernels::KeyValues<'_>,
    kv_heads: usize,
) -> Result<Vec<f32>> {
    let query = ask.query.contiguous()?;
    run1("attention mass", &query, |q| mass_by_kernel(ask, &q, keys, kv_heads))?.flatten_all()?.to_vec1()
}

fn mass_by_kernel(
    ask: &MassQuery<'_>,
    q: &Operand<'_>,
    keys: kernels::KeyValues<'_>,
    kv_heads: usize,
) -> Result<(Vec<f32>, Shape)> {
    let &[heads, head_dim] = q.dims() else { bail!("attention mass of {:?}", q.dims()) };
    let masses = kernels::attention_mass(&kernels::AttentionMass {
        query: q.floats()?,
        keys,
        heads,
        kv_heads,
        head_dim,
        key_tokens: ask.key_tokens,
        scale: 1.0 / (head_dim as f32).sqrt(),
        chosen_heads: ask.chosen_heads,
        spans: ask.spans,
    });
    let count = masses.len();
    Ok((masses, Shape::from(count)))
}

fn mass_by_tensors(ask: &MassQuery<'_>, keys: &Tensor) -> Result<Vec<f32>> {
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

/// Sequence `batch` of keys or values `[batch, kv_heads, keys, head_dim]`.
fn key_values<'a>(operand: &Operand<'a>, batch: usize) -> Result<kernels::KeyValues<'a>> {
    let [batch_stride, head_stride, token_stride, 1] = *operand.stride() else {
        bail!("attention: the last dimension of keys and values must be contiguous")
    };
    let values = kernels::KvStore::Float(operand.strided_values()?.skip(batch * batch_stride));
    Ok(kernels::KeyValues { values, head_stride, token_stride })
}

/// How many keys there are, and which of them a query sees.
#[derive(Clone, Copy)]
struct Keys {
    kv_heads: usize,
    tokens: usize,
    causal_offset: Option<usize>,
    exact: bool,
}

/// Queries `[batch, tokens, heads, head_dim]` over the keys and values that `kv` gives for each sequence.
fn by_kernel<'a>(
    q: &Operand<'_>,
    keys: Keys,
    kv: impl Fn(usize) -> Result<(kernels::KeyValues<'a>, kernels::KeyValues<'a>)>,
) -> Result<(Vec<f32>, Shape)> {
    let &[batch, tokens, heads, head_dim] = q.dims() else { bail!("attention of {:?}", q.dims()) };
    let queries = q.floats()?;
    let mut out = vec![0f32; queries.len()];
    let sequence = tokens * heads * head_dim;
    for (b, (queries, out)) in queries.chunks_exact(sequence).zip(out.chunks_exact_mut(sequence)).enumerate()
    {
        let (k, v) = kv(b)?;
        let call = kernels::Attention {
            queries,
            keys: k,
            values: v,
            heads,
            kv_heads: keys.kv_heads,
            head_dim,
            key_tokens: keys.tokens,
            causal_offset: keys.causal_offset,
            scale: 1.0 / (head_dim as f32).sqrt(),
            exact: keys.exact,
        };
        kernels::attention(&call, out);
    }
    Ok((out, Shape::from((batch, tokens, heads * head_dim))))
}

/// Keys a tile of the portable version.
const KEY_TILE: usize = 1024;

/// The same by tensor operations, for devices without a kernel of ours: tiles of keys with an online softmax
/// (arXiv 1805.02867), so that memory does not grow with the number of keys.
fn tiled(input: &AttentionInput<'_>) -> Result<Tensor> {
    let (batch, tokens, heads, head_dim) = input.queries.dims4()?;
    let (_, kv_heads, keys, _) = input.keys.dims4()?;
    let group = heads / kv_heads;
    let scale = 1.0 / (head_dim as f64).sqrt();
    let q = (input.queries.transpose(1, 2)?.to_dtype(DType::F32)? * scale)?;
    let q = q.contiguous()?.reshape((batch, kv_heads, group * tokens, head_dim))?;
    let rows = (batch, kv_heads, group * tokens, 1);
    let device = q.device();
    let mut output = Tensor::zeros((batch, kv_heads, group * tokens, head_dim), DType::F32, device)?;
    let mut maximum = Tensor::full(-1e30f32, rows, device)?;
    let mut sum = Tensor::zeros(rows, DType::F32, device)?;
    let end = input.causal_offset.map_or(keys, |offset| offset + tokens);
    for first in (0..end).step_by(KEY_TILE) {
        let count = KEY_TILE.min(end - first);
        let tile = |t: &Tensor| t.narrow(2, first, count)?.to_dtype(DType::F32)?.contiguous();
        let mut scores = q.matmul(&tile(input.keys)?.t()?)?;
        if let Some(offset) = input.causal_offset
            && first + count > offset + 1
        {
            let mask = causal_mask(offset, tokens, first, count, device)?;
            let by_token = scores.reshape((batch * kv_heads * group, tokens, count))?;
            scores = by_token.broadcast_add(&mask)?.reshape(scores.shape())?;
        }
        let new_maximum = maximum.maximum(&scores.max_keepdim(D::Minus1)?)?;
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
        (0..tokens).flat_map(|t| (0..keys).map(move |k| if first + k <= offset + t { 0f32 } else { -1e30 }));
    Tensor::from_vec(mask.collect(), (tokens, keys), device)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let difference = (attention(&input).unwrap() - tiled(&input).unwrap()).unwrap();
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
        let (kernel, tensors) = (attention_mass(&ask, &keys).unwrap(), mass_by_tensors(&ask, &keys).unwrap());
        assert_eq!(kernel.len(), 9);
        assert!(kernel.iter().zip(&tensors).all(|(a, b)| (a - b).abs() < 1e-6), "{kernel:?} {tensors:?}");
        assert!(kernel[1] == 0.0 && kernel[0] > 0.0);
    }
}
