//! Normalisations; their weights are kept in f32 whatever the checkpoint's dtype.

use super::storage::floats;
use crate::weights::Weights;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor};
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
            return x.contiguous()?.apply_op2_no_bwd(&self.weight, &RmsOp(self.eps));
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
            return x.contiguous()?.apply_op3_no_bwd(&self.weight, &self.bias, &LayerOp(self.eps));
        }
        let wide = x.to_dtype(DType::F32)?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centred.broadcast_div(&(variance + f64::from(self.eps))?.sqrt()?)?;
        normed.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?.to_dtype(x.dtype())
    }
}

struct RmsOp(f32);

impl CustomOp2 for RmsOp {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = floats(x, xl)?;
        let mut out = vec![0f32; x.len()];
        kernels::rms_norm(x, floats(w, wl)?, self.0, &mut out);
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }
}

struct LayerOp(f32);

impl CustomOp3 for LayerOp {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = floats(x, xl)?;
        let mut out = vec![0f32; x.len()];
        kernels::layer_norm(x, floats(w, wl)?, floats(b, bl)?, self.0, &mut out);
        Ok((CpuStorage::F32(out), xl.shape().clone()))
    }
}
