//! Layers by `longsight-kernels`, on contiguous f32 activations of the CPU; weights in the type that they are stored in.

mod attention;
mod op;

pub(super) use attention::{attention, attention_mass};
pub(crate) use attention::{attention_mass_quantized, attention_quantized};

use candle_core::{DType, Result, Shape, Tensor, bail};
use longsight_kernels::{self as kernels, QuantizedMatrix, Values};
use op::{Operand, in_place1, in_place2, in_place3, run1, run2, run3};

pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let x = x.contiguous()?;
    match bias {
        Some(bias) => run3("linear-bias", &x, weight, bias, |x, w, b| multiply(&x, &w, Some(&b))),
        None => run2("linear", &x, weight, |x, w| multiply(&x, &w, None)),
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

pub(super) fn quantized_linear(
    x: &Tensor,
    weight: QuantizedMatrix<'_>,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
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

pub(super) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    run2("rms-norm", &x.contiguous()?, weight, |x, weight| {
        let weight = weight.floats()?;
        like(&x, |x, out| kernels::rms_norm(x, weight, eps, out))
    })
}

pub(super) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    run3("layer-norm", &x.contiguous()?, weight, bias, |x, weight, bias| {
        let (weight, bias) = (weight.floats()?, bias.floats()?);
        like(&x, |x, out| kernels::layer_norm(x, weight, bias, eps, out))
    })
}

/// A result of the shape of `x`, filled by `kernel`.
fn like(x: &Operand<'_>, kernel: impl FnOnce(&[f32], &mut [f32])) -> Result<(Vec<f32>, Shape)> {
    let values = x.floats()?;
    let mut out = vec![0f32; values.len()];
    kernel(values, &mut out);
    Ok((out, Shape::from(x.dims())))
}

pub(super) fn gelu_tanh(x: Tensor) -> Result<Tensor> {
    in_place1("gelu-tanh", x, kernels::gelu_tanh)
}

pub(super) fn gelu_erf(x: Tensor) -> Result<Tensor> {
    in_place1("gelu-erf", x, kernels::gelu_erf)
}

pub(super) fn silu_mul(gate: Tensor, up: &Tensor) -> Result<Tensor> {
    in_place2("silu-mul", gate, up, kernels::silu_mul)
}

pub(super) fn rotate(x: Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (_, heads, head_dim) = x.dims3()?;
    in_place3("rotate-half", x, cos, sin, |x, cos, sin| kernels::rotate_half(x, cos, sin, heads, head_dim))
}
