//! Operands of attention: causal or not, grouped-query aware; the decoder's and the tower's.

use candle_core::Tensor;
use longsight_kernels::KeyValues;
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

/// Operands of attention of one sequence over keys and values that are no tensors; for kernels only.
pub(crate) struct QuantizedInput<'a> {
    /// `[1, tokens, heads, head_dim]`.
    pub(crate) queries: &'a Tensor,
    /// `[kv_heads, keys, head_dim]`.
    pub(crate) keys: KeyValues<'a>,
    /// As `keys`.
    pub(crate) values: KeyValues<'a>,
    /// Heads of keys and values.
    pub(crate) kv_heads: usize,
    /// Number of keys.
    pub(crate) key_tokens: usize,
    /// As in [`AttentionInput`].
    pub(crate) causal_offset: Option<usize>,
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
