//! The dense layer.

use crate::adapter::LowRank;
use crate::backend::Backend;
use crate::weights::{Matrix, Weights};
use candle_core::{DType, Result, Tensor};

/// `y = x W^T + b`, and a low-rank term where there is one. The weight keeps the type that it was loaded in; on the CPU x and y are f32.
pub struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
    low_rank: Option<LowRank>,
    backend: Backend,
}

impl Linear {
    /// Loads `weight` `[outputs, inputs]` and, where asked, `bias` `[outputs]` below `weights`' prefix, with the low-rank term
    /// that the weights' adapters have for this layer.
    pub fn load(weights: &Weights<'_>, inputs: usize, outputs: usize, bias: bool) -> crate::Result<Self> {
        let weight = weights.matrix("weight", outputs, inputs)?;
        let bias = bias.then(|| weights.get("bias", &[outputs])).transpose()?;
        let low_rank = weights.low_rank(outputs, inputs)?;
        Ok(Self { weight, bias, low_rank, backend: weights.backend() })
    }

    /// A layer around weights that exist already: a tied head, or a convolution's kernel. `weight` `[outputs, inputs]`.
    pub fn new(weight: Matrix, bias: Option<Tensor>, backend: Backend) -> Self {
        Self { weight, bias, low_rank: None, backend }
    }

    /// The same layer with `term` added.
    pub fn with_low_rank(self, term: LowRank) -> Self {
        Self { low_rank: Some(term), ..self }
    }

    /// Whether the weights are f32.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(&self.weight, Matrix::Floats(weight) if weight.dtype() == DType::F32)
    }

    /// `x` `[.., inputs]` -> `[.., outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = match &self.weight {
            Matrix::Floats(weight) => self.backend.linear(x, weight, self.bias.as_ref()),
            Matrix::Quantized(weight) => self.backend.quantized_linear(x, weight.view()?, self.bias.as_ref()),
        }?;
        match &self.low_rank {
            Some(term) => term.add(y, x, self.backend),
            None => Ok(y),
        }
    }
}
