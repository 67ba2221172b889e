//! Keys and values of the tokens seen so far; owned by the caller, allocated once.

use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};

/// Dimensions of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Decoder layers.
    pub layers: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
}

/// The cache: for each layer keys (already rotated) and values, `[1, kv_heads, capacity, head_dim]`.
pub struct KvCache {
    layers: Vec<(Tensor, Tensor)>,
    capacity_tokens: usize,
    tokens: usize,
    dtype: DType,
}

impl KvCache {
    /// Reserves room for `capacity_tokens`.
    ///
    /// # Errors
    /// If the system does not have that much memory to give.
    pub fn new(shape: KvShape, capacity_tokens: usize, dtype: DType, device: &Device) -> Result<Self> {
        ensure_memory(shape, capacity_tokens, dtype)?;
        let dims = (1, shape.kv_heads, capacity_tokens, shape.head_dim);
        let layers = (0..shape.layers)
            .map(|_| Ok((Tensor::zeros(dims, dtype, device)?, Tensor::zeros(dims, dtype, device)?)))
            .collect::<Result<_>>()?;
        Ok(Self { layers, capacity_tokens, tokens: 0, dtype })
    }

    /// Tokens held.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Tokens that fit.
    pub fn capacity_tokens(&self) -> usize {
        self.capacity_tokens
    }

    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(|(k, v)| (k.elem_count() + v.elem_count()) * self.dtype.size_in_bytes()).sum()
    }

    /// Forgets every token from position `tokens` on.
    pub fn truncate(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
    }

    /// Errors unless `more` tokens fit behind those held.
    pub fn ensure_room(&self, more: usize) -> Result<()> {
        let needed = self.tokens.saturating_add(more);
        if needed > self.capacity_tokens {
            return Err(ModelError::CacheFull { capacity: self.capacity_tokens, needed });
        }
        Ok(())
    }

    /// Writes `keys` and `values` `[tokens, kv_heads, head_dim]` of one layer behind the tokens held, and returns that
    /// layer's keys and values `[1, kv_heads, held + tokens, head_dim]`. [`Self::advance`] ends the step.
    pub(crate) fn append(&self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let (cached_keys, cached_values) = self.layers.get(layer).ok_or_else(|| {
            ModelError::Argument(format!("a cache of {} layers is not this model's", self.layers.len()))
        })?;
        let new = keys.dim(0)?;
        self.ensure_room(new)?;
        let write = |cache: &Tensor, x: &Tensor| -> Result<Tensor> {
            let x = x.to_dtype(self.dtype)?.transpose(0, 1)?.contiguous()?.unsqueeze(0)?;
            cache.slice_set(&x, 2, self.tokens)?;
            Ok(cache.narrow(2, 0, self.tokens + new)?)
        };
        Ok((write(cached_keys, keys)?, write(cached_values, values)?))
    }

    /// Counts `tokens` that every layer has appended.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.tokens += tokens;
    }
}

/// Asks the system for the whole cache once, since a failed allocation of a tensor would end the process.
fn ensure_memory(shape: KvShape, tokens: usize, dtype: DType) -> Result<()> {
    let sizes = [2, shape.layers, shape.kv_heads, shape.head_dim, tokens, dtype.size_in_bytes()];
    let bytes = sizes.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
    match bytes.map(|bytes| Vec::<u8>::new().try_reserve_exact(bytes)) {
        Some(Ok(())) => Ok(()),
        _ => Err(ModelError::Argument(format!(
            "there is no memory for a KV cache of {tokens} tokens ({} bytes): use fewer frames or coarser pooling",
            bytes.map_or("too many".to_owned(), |n| n.to_string())
        ))),
    }
}
