//! Who computes the layers. Every operation that a layer needs exists twice, and this is the only place that chooses:
//! [`Backend::Kernels`] runs `longsight-kernels` on the CPU and has no gradients; [`Backend::Tensors`] uses tensor
//! operations only, which run on every device and can be differentiated.

mod attention;
mod dtype;
mod kernels;
mod tensors;

pub use attention::AttentionInput;
pub(crate) use attention::{MassQuery, QuantizedInput};
pub(crate) use dtype::activation_dtype;
pub(crate) use kernels::{attention_mass_quantized, attention_quantized};

use crate::ModelError;
use candle_core::{Device, Result, Tensor};
use longsight_kernels::QuantizedMatrix;

/// Who computes; chosen once, when a model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Our kernels: on the CPU only, in f32, activations in place; no gradients.
    Kernels,
    /// Tensor operations: on every device, with gradients.
    Tensors,
}

impl Backend {
    /// What is taken where nothing is asked for: kernels on the CPU, tensors elsewhere.
    pub fn of_device(device: &Device) -> Self {
        if device.is_cpu() { Self::Kernels } else { Self::Tensors }
    }

    /// Errors where it cannot compute on `device`.
    pub fn check_device(self, device: &Device) -> crate::Result<()> {
        match self {
            Self::Kernels if !device.is_cpu() => Err(ModelError::Argument(
                "the kernels compute on the CPU only: take the tensor backend on this device".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Runs `work` on a thread of the pool, whose parallel kernels then start there: from any other thread each of them
    /// would be handed over and waited for. Tensor operations run where they are.
    pub(crate) fn on_pool<R: Send>(self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Kernels => rayon::scope(|_| work()),
            Self::Tensors => work(),
        }
    }

    /// `x W^T + b`: `x` `[.., inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]`.
    pub fn linear(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::linear(x, weight, bias),
            Self::Tensors => tensors::linear(x, weight, bias),
        }
    }

    /// As [`Self::linear`], by a quantized matrix, which the tensor backend widens as a whole for each product.
    pub fn quantized_linear(
        self,
        x: &Tensor,
        weight: QuantizedMatrix<'_>,
        bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::quantized_linear(x, weight, bias),
            Self::Tensors => tensors::linear(x, &tensors::dequantize(weight, x.device())?, bias),
        }
    }

    /// Root-mean-square norm over the last dimension: `x` `[.., width]`, `weight` `[width]`.
    pub fn rms_norm(self, x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::rms_norm(x, weight, eps),
            Self::Tensors => tensors::rms_norm(x, weight, eps),
        }
    }

    /// Layer norm over the last dimension: `x` `[.., width]`, `weight` and `bias` `[width]`.
    pub fn layer_norm(self, x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::layer_norm(x, weight, bias, eps),
            Self::Tensors => tensors::layer_norm(x, weight, bias, eps),
        }
    }

    /// GELU, tanh form (`gelu_pytorch_tanh`); any shape. By value, as the other activations: kernels change it in place.
    pub fn gelu_tanh(self, x: Tensor) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::gelu_tanh(x),
            Self::Tensors => x.gelu(),
        }
    }

    /// GELU, exact form by the error function; any shape.
    pub fn gelu_erf(self, x: Tensor) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::gelu_erf(x),
            Self::Tensors => x.gelu_erf(),
        }
    }

    /// silu(gate) * up; both of one shape.
    pub fn silu_mul(self, gate: Tensor, up: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::silu_mul(gate, up),
            Self::Tensors => gate.silu()?.mul(up),
        }
    }

    /// Rotates `x` `[tokens, heads, head_dim]`, half-split layout, by `cos` and `sin` `[tokens, head_dim / 2]`.
    pub fn rotate(self, x: Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::rotate(x, cos, sin),
            Self::Tensors => tensors::rotate(&x, cos, sin),
        }
    }

    /// softmax(q k^T / sqrt(head_dim) + mask) v: `[batch, tokens, heads * head_dim]`. Scores are never held whole.
    pub fn attention(self, input: &AttentionInput<'_>) -> Result<Tensor> {
        match self {
            Self::Kernels => kernels::attention(input),
            Self::Tensors => tensors::attention(input),
        }
    }

    /// Sums of softmax(q k^T / sqrt(head_dim)) over each span, `[chosen_heads, spans]`; `keys`
    /// `[1, kv_heads, keys, head_dim]`.
    pub(crate) fn attention_mass(self, ask: &MassQuery<'_>, keys: &Tensor) -> Result<Vec<f32>> {
        match self {
            Self::Kernels => kernels::attention_mass(ask, keys),
            Self::Tensors => tensors::attention_mass(ask, keys),
        }
    }
}
