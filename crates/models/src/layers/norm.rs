//! Normalisations; their weights are kept in f32 whatever the checkpoint's dtype.

use super::cpu::{Operand, run2, run3};
use crate::weights::Weights;
use candle_core::{D, DType, Result, Shape, Tensor};
use longsight_kernels as kernels;

/// Root-mean-square norm over the last dimension.
pub struct RmsNorm {
    weight: Tensor,
    eps: f32,
}

impl RmsNorm {
    /// Loads `weight` `[width]`.
    pub fn load(weights: &Weights<'_>, width: usize, eps: f64) -> crate::Result<Self> {
        Ok(Self { weight: weights.get_f32("weight", &[width])?, eps: eps as f32 })
    }

    /// `x` `[.., width]` -> the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return run2("rms-norm", &x.contiguous()?, &self.weight, |x, weight| {
                let weight = weight.floats()?;
                like(&x, |x, out| kernels::rms_norm(x, weight, self.eps, out))
            });
        }
        let wide = x.to_dtype(DType::F32)?;
        let square = wide.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = wide.broadcast_div(&(square + f64::from(self.eps))?.sqrt()?)?;
        normed.broadcast_mul(&self.weight)?.to_dtype(x.dtype())
    }
}

/// Layer norm with weight and bias over the last dimension.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// Loads `weight` and `bias` `[width]`.
    pub fn load(weights: &Weights<'_>, width: usize, eps: f64) -> crate::Result<Self> {
        let (weight, bias) = (weights.get_f32("weight", &[width])?, weights.get_f32("bias", &[width])?);
        Ok(Self { weight, bias, eps: eps as f32 })
    }

    /// `x` `[.., width]` -> the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return run3("layer-norm", &x.contiguous()?, &self.weight, &self.bias, |x, weight, bias| {
                let (weight, bias) = (weight.floats()?, bias.floats()?);
                like(&x, |x, out| kernels::layer_norm(x, weight, bias, self.eps, out))
            });
        }
        let wide = x.to_dtype(DType::F32)?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centred.broadcast_div(&(variance + f64::from(self.eps))?.sqrt()?)?;
        normed.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?.to_dtype(x.dtype())
    }
}

/// A result of the shape of `x`, filled by `kernel`.
fn like(x: &Operand<'_>, kernel: impl FnOnce(&[f32], &mut [f32])) -> Result<(Vec<f32>, Shape)> {
    let values = x.floats()?;
    let mut out = vec![0f32; values.len()];
    kernel(values, &mut out);
    Ok((out, Shape::from(x.dims())))
}
