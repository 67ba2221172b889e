//! The first tokens of a cache as bytes, and back: layer by layer, keys then values, each `[kv_heads, tokens, head_dim]` in the
//! cache's dtype, little-endian; where that is q8, the scales `[kv_heads, tokens]` follow the bytes.

use super::{KvCache, Layer, write};
use crate::{ModelError, Result};
use candle_core::Tensor;
use std::io::Write;

/// What the receiver of the bytes says, as it says it.
fn unwritten(error: std::io::Error) -> ModelError {
    ModelError::Argument(error.to_string())
}

impl KvCache {
    /// Bytes that [`Self::write_prefix`] writes; None where they are more than a number holds.
    pub fn prefix_bytes(&self, tokens: usize) -> Option<usize> {
        usize::try_from(self.dtype.bytes(self.shape, tokens)).ok().filter(|bytes| *bytes < usize::MAX)
    }

    /// Writes the first `tokens` tokens.
    ///
    /// # Errors
    /// More tokens than are held, or what `out` says.
    pub fn write_prefix(&self, tokens: usize, out: &mut impl Write) -> Result<()> {
        if tokens > self.tokens {
            return Err(ModelError::Argument(format!("a cache of {} tokens has no {tokens}", self.tokens)));
        }
        for layer in &self.layers {
            match layer {
                Layer::Float { keys, values } => {
                    for part in [keys, values] {
                        let mut bytes = Vec::new(); // value by value, so not straight to `out`
                        part.narrow(2, 0, tokens)?.contiguous()?.write_bytes(&mut bytes)?;
                        out.write_all(&bytes).map_err(unwritten)?;
                    }
                }
                Layer::Q8 { keys, values } => {
                    for part in [keys, values] {
                        part.write_prefix(tokens, out).map_err(unwritten)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes `tokens` tokens that a cache of the same shape and dtype wrote, in place of all that is held.
    ///
    /// # Errors
    /// Bytes of another size, or too many tokens; the cache is empty then.
    pub fn read_prefix(&mut self, tokens: usize, bytes: &[u8]) -> Result<()> {
        self.tokens = 0;
        self.ensure_room(tokens)?;
        if self.prefix_bytes(tokens) != Some(bytes.len()) {
            return Err(ModelError::Argument(format!(
                "{} bytes are not {tokens} tokens of this cache",
                bytes.len()
            )));
        }
        let mut parts = bytes.chunks_exact((bytes.len() / (2 * self.layers.len()).max(1)).max(1));
        let mut next = || parts.next().unwrap_or_default();
        for layer in &mut self.layers {
            match layer {
                Layer::Float { keys, values } => {
                    for part in [keys, values] {
                        let dims = [1, self.shape.kv_heads, tokens, self.shape.head_dim];
                        let read = Tensor::from_raw_buffer(next(), part.dtype(), &dims, part.device())?;
                        write(part, &read, 0, self.joins)?;
                    }
                }
                Layer::Q8 { keys, values } => {
                    keys.read_prefix(tokens, next());
                    values.read_prefix(tokens, next());
                }
            }
        }
        self.tokens = tokens;
        Ok(())
    }
}
