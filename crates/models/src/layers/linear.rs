//! The dense layer.

use super::cpu::{Operand, run2, run3};
use crate::weights::Weights;
use candle_core::{Result, Shape, Tensor, bail};
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
                Some(bias) => {
                    run3("linear-bias", &x, &self.weight, bias, |x, w, b| multiply(&x, &w, Some(&b)))
                }
                None => run2("linear", &x, &self.weight, |x, w| multiply(&x, &w, None)),
            };
        }
        let y = x.to_dtype(self.weight.dtype())?.broadcast_matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// The product, and the shape of its result.
fn multiply(x: &Operand<'_>, weight: &Operand<'_>, bias: Option<&Operand<'_>>) -> Result<(Vec<f32>, Shape)> {
    let [outputs, inputs] = *weight.dims() else { bail!("linear layer with weight {:?}", weight.dims()) };
    let bias = bias.map(Operand::values).transpose()?;
    let layer = kernels::Linear { weight: weight.values()?, bias, inputs, outputs };
    let mut dims = x.dims().to_vec();
    match dims.last_mut() {
        Some(last) if *last == inputs && inputs > 0 => *last = outputs,
        _ => bail!("linear layer {outputs} x {inputs} given {:?}", x.dims()),
    }
    let values = x.floats()?;
    let mut y = vec![0f32; values.len() / inputs * outputs];
    kernels::linear(&layer, values, &mut y);
    Ok((y, Shape::from(dims)))
}
