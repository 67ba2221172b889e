//! The dense layer.

use super::cpu::{Operand, run1, run2, run3};
use crate::weights::{Matrix, QuantizedWeights, Weights};
use candle_core::{DType, Result, Shape, Tensor, bail};
use longsight_kernels::{self as kernels, Values};

/// `y = x W^T + b`. The weight keeps the type that it was loaded in; on the CPU x and y are f32.
pub struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
}

impl Linear {
    /// Loads `weight` `[outputs, inputs]` and, where asked, `bias` `[outputs]` below `weights`' prefix.
    pub fn load(weights: &Weights<'_>, inputs: usize, outputs: usize, bias: bool) -> crate::Result<Self> {
        let weight = weights.matrix("weight", outputs, inputs)?;
        let bias = bias.then(|| weights.get("bias", &[outputs])).transpose()?;
        Ok(Self { weight, bias })
    }

    /// A layer around weights that exist already: a tied head, or a convolution's kernel. `weight` `[outputs, inputs]`.
    pub fn new(weight: Matrix, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// Whether the weights are f32.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(&self.weight, Matrix::Floats(weight) if weight.dtype() == DType::F32)
    }

    /// `x` `[.., inputs]` -> `[.., outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = match &self.weight {
            Matrix::Floats(weight) => weight,
            Matrix::Quantized(weight) => return quantized(x, weight, self.bias.as_ref()),
        };
        if x.device().is_cpu() {
            let x = x.contiguous()?;
            return match &self.bias {
                Some(bias) => run3("linear-bias", &x, weight, bias, |x, w, b| multiply(&x, &w, Some(&b))),
                None => run2("linear", &x, weight, |x, w| multiply(&x, &w, None)),
            };
        }
        let y = x.to_dtype(weight.dtype())?.broadcast_matmul(&weight.t()?)?;
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
    let shape = result_shape(x.dims(), inputs, outputs)?;
    Ok((kernels::linear(&layer, x.floats()?), shape))
}

fn quantized(x: &Tensor, weight: &QuantizedWeights, bias: Option<&Tensor>) -> Result<Tensor> {
    let weight = weight.view()?;
    let product = |x: Operand<'_>, bias: Option<Values<'_>>| {
        let shape = result_shape(x.dims(), weight.inputs(), weight.outputs())?;
        Ok((kernels::quantized_linear(&kernels::QuantizedLinear { weight, bias }, x.floats()?), shape))
    };
    let x = x.to_dtype(DType::F32)?.contiguous()?;
    match bias {
        Some(bias) => run2("quantized-linear-bias", &x, bias, |x, b| product(x, Some(b.values()?))),
        None => run1("quantized-linear", &x, |x| product(x, None)),
    }
}

fn result_shape(x: &[usize], inputs: usize, outputs: usize) -> Result<Shape> {
    let mut dims = x.to_vec();
    match dims.last_mut() {
        Some(last) if *last == inputs && inputs > 0 => *last = outputs,
        _ => bail!("linear layer {outputs} x {inputs} given {x:?}"),
    }
    Ok(Shape::from(dims))
}
