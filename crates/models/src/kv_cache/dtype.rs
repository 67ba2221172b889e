use crate::{ModelError, Result};
use candle_core::{DType, Device};
use longsight_method::KvShape;
use std::fmt;

/// How keys and values are stored; whatever it is, attention computes in f32 on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvDtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// Signed bytes, with an f32 scale for every head of every token, keys and values apart.
    Q8,
}

impl KvDtype {
    /// What is taken where nothing is asked for: the dtype of the weights, and f32 for weights in other formats.
    pub fn of_weights(dtype: DType) -> Self {
        match dtype {
            DType::F16 => Self::F16,
            DType::BF16 => Self::Bf16,
            _ => Self::F32,
        }
    }

    /// `f32`, `f16`, `bf16` or `q8`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8 => "q8",
        }
    }

    /// Bytes of one channel.
    fn value_bytes(self) -> usize {
        self.tensor_dtype().map_or(1, |dtype| dtype.size_in_bytes())
    }

    /// Bytes of the scale of one head's key or value; 0 where there is none.
    fn scale_bytes(self) -> usize {
        if self == Self::Q8 { size_of::<f32>() } else { 0 }
    }

    /// Bytes of a cache of `tokens` tokens, scales included; saturates.
    pub fn bytes(self, shape: KvShape, tokens: usize) -> u64 {
        shape.bytes(tokens, self.value_bytes(), self.scale_bytes())
    }

    /// Errors where a device has no kernels for this dtype.
    pub fn check_device(self, device: &Device) -> Result<()> {
        if self == Self::Q8 && !device.is_cpu() {
            return Err(ModelError::Argument(
                "--kv-dtype q8 is computed on the CPU only: take f16 or bf16, or --device cpu".into(),
            ));
        }
        Ok(())
    }

    /// The dtype of tensors that hold it; None for `Q8`, which is no tensor.
    pub(super) fn tensor_dtype(self) -> Option<DType> {
        match self {
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
            Self::Q8 => None,
        }
    }
}

impl fmt::Display for KvDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
