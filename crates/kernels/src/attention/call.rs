//! What attention is asked for, and what a task of it does.

use crate::KeyValues;

/// Keys a tile.
pub(super) const KEY_TILE: usize = 256;

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
    /// Whether products are those of f32. Else, where the CPU has AMX, factors are cut in two bf16, an error of 2^-17 each.
    pub exact: bool,
}

/// What one task does, in scratch that it keeps.
pub(super) trait Task {
    /// For up to `rows` rows.
    fn new(rows: usize, head_dim: usize) -> Self;

    /// Attention of `count` query tokens from `start` for the query heads of one key head.
    fn run(&mut self, a: &Attention<'_>, kv_head: usize, start: usize, count: usize);

    /// A row's values, and the sum of the weights that they are still to be divided by.
    fn row(&self, row: usize, head_dim: usize) -> (&[f32], f32);
}
