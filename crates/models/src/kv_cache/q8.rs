//! Keys and values in signed bytes: plain vectors and no tensors, since candle has no signed bytes and its operations take three
//! operands. A row's scale depends on that row alone, so what is cached does not depend on chunks, and truncating, sharing and
//! going on are bit-equal as with floats.

use crate::Result;
use candle_core::{DType, Device, Tensor};
use longsight_kernels::{KeyValues, KvStore, dequantize_q8, quantize_q8};
use longsight_method::KvShape;
use std::io::Write;

/// The keys or the values of one layer, in signed bytes.
pub(super) struct Q8Rows {
    /// `[kv_heads, capacity, head_dim]`, row-major.
    bytes: Vec<i8>,
    /// `[kv_heads, capacity]`: the scale of each row.
    scales: Vec<f32>,
    shape: KvShape,
    capacity_tokens: usize,
}

impl Q8Rows {
    /// Room for `capacity_tokens`.
    pub(super) fn new(shape: KvShape, capacity_tokens: usize) -> Self {
        let rows = shape.kv_heads * capacity_tokens;
        Self { bytes: vec![0; rows * shape.head_dim], scales: vec![0.0; rows], shape, capacity_tokens }
    }

    /// Quantizes `x` `[tokens, kv_heads, head_dim]` into the rows from token `first` on, for which there is room.
    pub(super) fn write(&mut self, first: usize, x: &Tensor) -> Result<()> {
        let (kv_heads, head_dim) = (self.shape.kv_heads, self.shape.head_dim);
        let values = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        for (i, row) in values.chunks_exact(head_dim).enumerate() {
            let (token, head) = (first + i / kv_heads, i % kv_heads);
            let to = head * self.capacity_tokens + token;
            self.scales[to] = quantize_q8(row, &mut self.bytes[to * head_dim..][..head_dim]);
        }
        Ok(())
    }

    /// All rows, as the attention kernel takes them.
    pub(super) fn rows(&self) -> KeyValues<'_> {
        let head_dim = self.shape.head_dim;
        KeyValues {
            values: KvStore::Q8 { bytes: &self.bytes, scales: &self.scales },
            head_stride: self.capacity_tokens * head_dim,
            token_stride: head_dim,
        }
    }

    /// The first `tokens` of every head, `[1, kv_heads, tokens, head_dim]`, in f32.
    pub(super) fn widened(&self, tokens: usize) -> Result<Tensor> {
        let (kv_heads, head_dim) = (self.shape.kv_heads, self.shape.head_dim);
        let mut values = vec![0f32; kv_heads * tokens * head_dim];
        for (i, row) in values.chunks_exact_mut(head_dim).enumerate() {
            let from = i / tokens * self.capacity_tokens + i % tokens;
            dequantize_q8(&self.bytes[from * head_dim..][..head_dim], self.scales[from], row);
        }
        Ok(Tensor::from_vec(values, (1, kv_heads, tokens, head_dim), &Device::Cpu)?)
    }

    /// Writes the first `tokens` of every head, then their scales.
    pub(super) fn write_prefix(&self, tokens: usize, out: &mut impl Write) -> std::io::Result<()> {
        let head_dim = self.shape.head_dim;
        for head in self.bytes.chunks_exact(self.capacity_tokens * head_dim) {
            out.write_all(bytemuck::cast_slice(&head[..tokens * head_dim]))?;
        }
        for head in self.scales.chunks_exact(self.capacity_tokens) {
            out.write_all(bytemuck::cast_slice(&head[..tokens]))?;
        }
        Ok(())
    }

    /// Reads what [`Self::write_prefix`] wrote, of the same number of tokens.
    pub(super) fn read_prefix(&mut self, tokens: usize, bytes: &[u8]) {
        let head_dim = self.shape.head_dim;
        let (rows, scales) = bytes.split_at(self.shape.kv_heads * tokens * head_dim);
        let heads = self.bytes.chunks_exact_mut(self.capacity_tokens * head_dim);
        for (head, rows) in heads.zip(rows.chunks_exact((tokens * head_dim).max(1))) {
            bytemuck::cast_slice_mut(&mut head[..tokens * head_dim]).copy_from_slice(rows);
        }
        let heads = self.scales.chunks_exact_mut(self.capacity_tokens);
        for (head, scales) in heads.zip(scales.chunks_exact((tokens * size_of::<f32>()).max(1))) {
            bytemuck::cast_slice_mut(&mut head[..tokens]).copy_from_slice(scales);
        }
    }
}
