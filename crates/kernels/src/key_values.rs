//! Keys and values as a cache stores them, widened to f32 where attention uses them.

use crate::Values;
use crate::kv_q8::dequantize_q8;

/// Stored keys or values.
#[derive(Clone, Copy)]
pub enum KvStore<'a> {
    /// Numbers.
    Float(Values<'a>),
    /// Signed bytes, with a scale for each row of `head_dim` of them, in the order of the rows: `byte * scale`.
    Q8 {
        /// The rows.
        bytes: &'a [i8],
        /// One for each row.
        scales: &'a [f32],
    },
}

impl KvStore<'_> {
    /// Numbers held, in rows of `head_dim`.
    fn len(&self, head_dim: usize) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Q8 { bytes, scales } => bytes.len().min(scales.len().saturating_mul(head_dim)),
        }
    }
}

/// Cached keys or values: `[kv_heads, keys, head_dim]` with free strides for head and token, `head_dim` contiguous.
#[derive(Clone, Copy)]
pub struct KeyValues<'a> {
    /// The numbers. Where they are `Q8`, both strides are multiples of `head_dim`.
    pub values: KvStore<'a>,
    /// Values from one head to the next.
    pub head_stride: usize,
    /// Values from one token to the next.
    pub token_stride: usize,
}

impl KeyValues<'_> {
    /// # Panics
    /// When there are fewer than `tokens` keys of `heads` heads, or strides that part rows of `Q8`.
    pub(crate) fn check(&self, heads: usize, tokens: usize, head_dim: usize) {
        let last = (heads - 1) * self.head_stride + (tokens - 1) * self.token_stride + head_dim;
        assert!(self.values.len(head_dim) >= last, "attention: keys or values are too short");
        let whole_rows =
            self.head_stride.is_multiple_of(head_dim) && self.token_stride.is_multiple_of(head_dim);
        assert!(
            whole_rows || matches!(self.values, KvStore::Float(_)),
            "attention: strides that part the rows of q8 keys or values"
        );
    }

    /// Copies the row of one token of one head, widened to f32.
    pub(crate) fn row(&self, head: usize, token: usize, row: &mut [f32]) {
        let at = head * self.head_stride + token * self.token_stride;
        match self.values {
            KvStore::Float(values) => values.part(at, row.len()).widen(row),
            KvStore::Q8 { bytes, scales } => {
                dequantize_q8(&bytes[at..at + row.len()], scales[at / row.len()], row);
            }
        }
    }

    /// A pointer to `keys` rows of one head as f32 and the distance between rows: the cache itself where it is f32, else
    /// `scratch` with the widened rows.
    pub(crate) fn gather(
        &self,
        head: usize,
        first: usize,
        keys: usize,
        head_dim: usize,
        scratch: &mut [f32],
    ) -> (*const f32, usize) {
        let start = head * self.head_stride + first * self.token_stride;
        let rows = scratch.chunks_exact_mut(head_dim).take(keys).enumerate();
        let rows = rows.map(|(key, row)| (start + key * self.token_stride, row));
        match self.values {
            KvStore::Float(Values::F32(v)) => {
                let span = (keys - 1) * self.token_stride + head_dim;
                return (v[start..start + span].as_ptr(), self.token_stride);
            }
            KvStore::Float(values) => rows.for_each(|(at, row)| values.part(at, head_dim).widen(row)),
            KvStore::Q8 { bytes, scales } => {
                rows.for_each(|(at, row)| {
                    dequantize_q8(&bytes[at..at + head_dim], scales[at / head_dim], row)
                });
            }
        }
        (scratch.as_ptr(), head_dim)
    }
}
