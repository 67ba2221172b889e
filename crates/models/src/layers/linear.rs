//! The dense layer.

use super::storage::{contiguous_values, floats};
use crate::weights::Weights;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use longsight_kernels as kernels;

/// `y = x W^T + b`. The weight keeps the dtype that it was loaded in; on the CPU x and y are f32.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Loads `weight` `[outputs, inputs]` and, where asked, `bias` `[outputs]` below `weights`' prefix.
    pub fn load(weights: &Weights<'_>, inputs: usize, outputs: usize, bias: bool) -> crate::Result<Self> {
        let weight = weights.get("weight", &[outputs, inputs])?;
        let bias = bias.then(|| weights.get("bias", &[outputs])).transpose()?;
        Ok(Self { weight, bias })
    }

    /// A layer around tensors that exist already: a tied head, or a convolution's kernel. `weight` `[outputs, inputs]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// `x` `[.., inputs]` -> `[.., outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            let x = x.contiguous()?;
            return match &self.bias {
                Some(bias) => x.apply_op3_no_bwd(&self.weight, bias, &LinearOp),
                None => x.apply_op2_no_bwd(&self.weight, &LinearOp),
            };
        }
        let y = x.to_dtype(self.weight.dtype())?.broadcast_matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

struct LinearOp;

impl LinearOp {
    fn run(
        x: (&CpuStorage, &Layout),
        w: (&CpuStorage, &Layout),
        b: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, inputs) = w.1.shape().dims2()?;
        let bias = b.map(|(storage, layout)| contiguous_values(storage, layout)).transpose()?;
        let layer = kernels::Linear { weight: contiguous_values(w.0, w.1)?, bias, inputs, outputs };
        let x_values = floats(x.0, x.1)?;
        let mut dims = x.1.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == inputs => *last = outputs,
            _ => candle_core::bail!("linear layer {outputs} x {inputs} given {:?}", x.1.dims()),
        }
        let mut y = vec![0f32; x_values.len() / inputs * outputs];
        kernels::linear(&layer, x_values, &mut y);
        Ok((CpuStorage::F32(y), Shape::from(dims)))
    }
}

impl CustomOp2 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::run((x, xl), (w, wl), None)
    }
}

impl CustomOp3 for LinearOp {
    fn name(&self) -> &'static str {
        "linear-bias"
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
        Self::run((x, xl), (w, wl), Some((b, bl)))
    }
}
