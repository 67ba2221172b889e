//! Normalisations; their weights are kept in f32 whatever the checkpoint's dtype.

use crate::backend::Backend;
use crate::weights::Weights;
use candle_core::{Result, Tensor};

/// Root-mean-square norm over the last dimension.
pub struct RmsNorm {
    weight: Tensor,
    eps: f32,
    backend: Backend,
}

impl RmsNorm {
    /// Loads `weight` `[width]`.
    pub fn load(weights: &Weights<'_>, width: usize, eps: f64) -> crate::Result<Self> {
        Ok(Self::new(weights.get_f32("weight", &[width])?, eps, weights.backend()))
    }

    /// A layer around a weight `[width]` that exists already.
    pub fn new(weight: Tensor, eps: f64, backend: Backend) -> Self {
        Self { weight, eps: eps as f32, backend }
    }

    /// `x` `[.., width]` -> the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.backend.rms_norm(x, &self.weight, self.eps)
    }
}

/// Layer norm with weight and bias over the last dimension.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
    backend: Backend,
}

impl LayerNorm {
    /// Loads `weight` and `bias` `[width]`.
    pub fn load(weights: &Weights<'_>, width: usize, eps: f64) -> crate::Result<Self> {
        let (weight, bias) = (weights.get_f32("weight", &[width])?, weights.get_f32("bias", &[width])?);
        Ok(Self::new(weight, bias, eps, weights.backend()))
    }

    /// A layer around a weight and a bias `[width]` that exist already.
    pub fn new(weight: Tensor, bias: Tensor, eps: f64, backend: Backend) -> Self {
        Self { weight, bias, eps: eps as f32, backend }
    }

    /// `x` `[.., width]` -> the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.backend.layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}
