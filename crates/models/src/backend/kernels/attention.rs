//! Attention and sums of its weights, by kernels.

use super::op::{Operand, run1, run2, run3};
use crate::backend::attention::{AttentionInput, MassQuery, QuantizedInput};
use candle_core::{Result, Shape, Tensor, bail};
use longsight_kernels as kernels;

/// `[batch, tokens, heads * head_dim]`.
pub(in crate::backend) fn attention(input: &AttentionInput<'_>) -> Result<Tensor> {
    let queries = input.queries.contiguous()?;
    run3("attention", &queries, input.keys, input.values, |q, k, v| {
        let &[_, kv_heads, tokens, _] = k.dims() else { bail!("attention over {:?}", k.dims()) };
        let keys = Keys { kv_heads, tokens, causal_offset: input.causal_offset, exact: input.exact };
        by_kernel(&q, keys, |batch| Ok((key_values(&k, batch)?, key_values(&v, batch)?)))
    })
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

/// `[chosen_heads, spans]`.
pub(in crate::backend) fn attention_mass(ask: &MassQuery<'_>, keys: &Tensor) -> Result<Vec<f32>> {
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
