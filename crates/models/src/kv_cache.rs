//! Keys and values of the tokens seen so far; owned by the caller, allocated once, or joined where gradients must flow.

mod dtype;
mod prefix;
mod q8;

use crate::backend::{
    AttentionInput, Backend, MassQuery, QuantizedInput, attention_mass_quantized, attention_quantized,
};
use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
pub use dtype::KvDtype;
use longsight_method::KvShape;
use q8::Q8Rows;

/// The cache. Keys are stored rotated.
pub struct KvCache {
    layers: Vec<Layer>,
    shape: KvShape,
    capacity_tokens: usize,
    tokens: usize,
    dtype: KvDtype,
    /// Whether keys and values are joined to those before instead of being written into room that is there.
    joins: bool,
}

/// Keys and values of a layer, each a block of its own with the same order: `[kv_heads, capacity, head_dim]`.
enum Layer {
    /// `[1, kv_heads, capacity, head_dim]`; as many tokens as were appended where they are joined.
    Float {
        keys: Tensor,
        values: Tensor,
    },
    Q8 {
        keys: Q8Rows,
        values: Q8Rows,
    },
}

impl Layer {
    fn new(shape: KvShape, capacity_tokens: usize, dtype: KvDtype, device: &Device) -> Result<Self> {
        let dims = (1, shape.kv_heads, capacity_tokens, shape.head_dim);
        Ok(match dtype.tensor_dtype() {
            Some(dtype) => Self::Float {
                keys: Tensor::zeros(dims, dtype, device)?,
                values: Tensor::zeros(dims, dtype, device)?,
            },
            None => {
                let rows = || Q8Rows::new(shape, capacity_tokens);
                Self::Q8 { keys: rows(), values: rows() }
            }
        })
    }
}

impl KvCache {
    /// Reserves room for `capacity_tokens`.
    ///
    /// # Errors
    /// If the system does not have that much memory to give, or the device has no kernels for `dtype`.
    pub fn new(shape: KvShape, capacity_tokens: usize, dtype: KvDtype, device: &Device) -> Result<Self> {
        dtype.check_device(device)?;
        ensure_memory(shape, capacity_tokens, dtype)?;
        let layers = (0..shape.layers)
            .map(|_| Layer::new(shape, capacity_tokens, dtype, device))
            .collect::<Result<_>>()?;
        Ok(Self { layers, shape, capacity_tokens, tokens: 0, dtype, joins: false })
    }

    /// A cache of up to `capacity_tokens` through which gradients flow: nothing is reserved, and keys and values are joined
    /// to those before in the dtype that they come in. Each append copies what is held.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn joining(shape: KvShape, capacity_tokens: usize, device: &Device) -> Result<Self> {
        let dtype = KvDtype::F32;
        let layers = (0..shape.layers).map(|_| Layer::new(shape, 0, dtype, device)).collect::<Result<_>>()?;
        Ok(Self { layers, shape, capacity_tokens, tokens: 0, dtype, joins: true })
    }

    /// How keys and values are stored.
    pub fn dtype(&self) -> KvDtype {
        self.dtype
    }

    /// Tokens held.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Tokens that fit.
    pub fn capacity_tokens(&self) -> usize {
        self.capacity_tokens
    }

    /// Bytes reserved, scales included; where tokens are joined, those of the tokens held.
    pub fn bytes(&self) -> usize {
        let tokens = if self.joins { self.tokens } else { self.capacity_tokens };
        let bytes = self.dtype.bytes(self.shape, tokens);
        usize::try_from(bytes).unwrap_or(usize::MAX)
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

    /// Writes `keys` and `values` `[tokens, kv_heads, head_dim]` of one layer behind the tokens held.
    /// [`Self::advance`] ends the step.
    pub(crate) fn append(&mut self, layer: usize, keys: &Tensor, values: &Tensor) -> Result<()> {
        self.ensure_room(keys.dim(0)?)?;
        let (first, layers, joins) = (self.tokens, self.layers.len(), self.joins);
        match self.layers.get_mut(layer).ok_or_else(|| not_this_model(layers))? {
            Layer::Float { keys: cached_keys, values: cached_values } => {
                for (cached, x) in [(cached_keys, keys), (cached_values, values)] {
                    let dtype = if joins { x.dtype() } else { cached.dtype() };
                    let x = x.to_dtype(dtype)?.transpose(0, 1)?.contiguous()?.unsqueeze(0)?;
                    write(cached, &x, first, joins)?;
                }
            }
            Layer::Q8 { keys: cached_keys, values: cached_values } => {
                cached_keys.write(first, keys)?;
                cached_values.write(first, values)?;
            }
        }
        Ok(())
    }

    /// Attention of `queries` `[1, tokens, heads, head_dim]`, the tokens just appended to `layer`, over these and all
    /// before them: `[1, tokens, heads * head_dim]`.
    pub(crate) fn attend(&self, layer: usize, queries: &Tensor, backend: Backend) -> Result<Tensor> {
        let key_tokens = self.tokens + queries.dim(1)?;
        let causal_offset = Some(self.tokens);
        let over = |keys: &Tensor, values: &Tensor| {
            let exact = keys.dtype() == DType::F32;
            backend.attention(&AttentionInput { queries, keys, values, causal_offset, exact })
        };
        let output = match self.layers.get(layer).ok_or_else(|| not_this_model(self.layers.len()))? {
            Layer::Float { keys, values } => {
                over(&keys.narrow(2, 0, key_tokens)?, &values.narrow(2, 0, key_tokens)?)?
            }
            Layer::Q8 { keys, values } if backend == Backend::Tensors => {
                over(&keys.widened(key_tokens)?, &values.widened(key_tokens)?)?
            }
            Layer::Q8 { keys, values } => attention_quantized(&QuantizedInput {
                queries,
                keys: keys.rows(),
                values: values.rows(),
                kv_heads: self.shape.kv_heads,
                key_tokens,
                causal_offset,
            })?,
        };
        Ok(output)
    }

    /// Sums of attention weights of one query over keys of `layer`, `[chosen heads, spans]`.
    pub(crate) fn attention_mass(
        &self,
        layer: usize,
        ask: &MassQuery<'_>,
        backend: Backend,
    ) -> Result<Vec<f32>> {
        Ok(match self.layers.get(layer).ok_or_else(|| not_this_model(self.layers.len()))? {
            Layer::Float { keys, .. } => backend.attention_mass(ask, keys)?,
            Layer::Q8 { keys, .. } if backend == Backend::Tensors => {
                backend.attention_mass(ask, &keys.widened(ask.key_tokens)?)?
            }
            Layer::Q8 { keys, .. } => attention_mass_quantized(ask, keys.rows(), self.shape.kv_heads)?,
        })
    }

    /// Counts `tokens` that every layer has appended.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.tokens += tokens;
    }
}

/// Puts `x` `[1, kv_heads, tokens, head_dim]` after the first `first` tokens of `cached`: into its room, or joined to them.
fn write(cached: &mut Tensor, x: &Tensor, first: usize, joins: bool) -> Result<()> {
    match (joins, first) {
        (false, _) => cached.slice_set(x, 2, first)?,
        (true, 0) => *cached = x.clone(),
        (true, _) => *cached = Tensor::cat(&[&cached.narrow(2, 0, first)?, x], 2)?,
    }
    Ok(())
}

fn not_this_model(layers: usize) -> ModelError {
    ModelError::Argument(format!("a cache of {layers} layers is not this model's"))
}

/// Asks the system for the whole cache once, since a failed allocation of a tensor would end the process.
fn ensure_memory(shape: KvShape, tokens: usize, dtype: KvDtype) -> Result<()> {
    let bytes = dtype.bytes(shape, tokens);
    match usize::try_from(bytes).map(|bytes| Vec::<u8>::new().try_reserve_exact(bytes)) {
        Ok(Ok(())) => Ok(()),
        _ => Err(ModelError::Argument(format!(
            "there is no memory for a KV cache of {tokens} tokens ({bytes} bytes): use fewer frames or coarser pooling"
        ))),
    }
}
