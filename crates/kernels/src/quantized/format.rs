//! The stored formats.

use super::activations::Bits;
use super::block::BLOCK;
use super::blocks32::{Q4_1_BYTES, Q5_0_BYTES, Q5_1_BYTES};

/// How a matrix of quantized weights is stored, row after row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 128 int8 values and an f32 scale; rows of any length are padded with zeros. Not a GGUF type.
    Int8,
    /// GGUF `Q8_0`: 32 int8 values, f16 scale.
    Q8_0,
    /// GGUF `Q4_0`: 32 values of 4 bits, f16 scale.
    Q4_0,
    /// GGUF `Q4_1`: 32 values of 4 bits, f16 scale and minimum.
    Q4_1,
    /// GGUF `Q5_0`: 32 values of 5 bits, f16 scale.
    Q5_0,
    /// GGUF `Q5_1`: 32 values of 5 bits, f16 scale and minimum.
    Q5_1,
    /// GGUF `Q6_K`: 256 values of 6 bits, 16 scales of 8 bits.
    Q6K,
    /// GGUF `Q5_K`: 256 values of 5 bits, 8 scales and minimums of 6 bits.
    Q5K,
    /// GGUF `Q4_K`: 256 values of 4 bits, 8 scales and minimums of 6 bits.
    Q4K,
}

impl Format {
    /// Weights a stored block, and its bytes.
    pub const fn block(self) -> (usize, usize) {
        match self {
            Self::Int8 => (BLOCK, BLOCK + 4),
            Self::Q8_0 => (32, 34),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, Q4_1_BYTES),
            Self::Q5_0 => (32, Q5_0_BYTES),
            Self::Q5_1 => (32, Q5_1_BYTES),
            Self::Q6K => (256, 210),
            Self::Q5K => (256, 176),
            Self::Q4K => (256, 144),
        }
    }

    /// Whether rows of `inputs` weights can be stored.
    pub const fn fits(self, inputs: usize) -> bool {
        matches!(self, Self::Int8) || inputs.is_multiple_of(self.block().0)
    }

    /// Bytes of a row of `inputs` weights; saturates.
    pub const fn row_bytes(self, inputs: usize) -> usize {
        let (weights, bytes) = self.block();
        inputs.div_ceil(weights).saturating_mul(bytes)
    }

    /// Whether the integers of a block fit bytes.
    pub(crate) const fn is_narrow(self) -> bool {
        matches!(self, Self::Int8)
    }

    /// How many bits the activations have that many rows of them are multiplied by: 8 where some CPU gains by that.
    pub(crate) const fn activation_bits(self) -> Bits {
        if matches!(self, Self::Int8 | Self::Q4K) { Bits::EightWhereEven } else { Bits::Twelve }
    }

    /// Whether blocks of integers have minimums (those of `Q4_1` and `Q5_1` are in the integers): weight = scale x integer - minimum.
    pub(crate) const fn has_minimums(self) -> bool {
        matches!(self, Self::Q5K | Self::Q4K)
    }
}
