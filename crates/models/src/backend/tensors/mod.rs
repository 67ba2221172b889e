//! Layers by tensor operations that have gradients: nothing in place, no copies into tensors that exist already. Norms,
//! rotations and softmax are computed in f32 at least, whatever the activations' dtype.

mod attention;

pub(super) use attention::{attention, attention_mass};

use crate::backend::dtype::activation_dtype;
use candle_core::{D, DType, Device, Result, Tensor};
use longsight_kernels::QuantizedMatrix;

/// The dtype to compute in: f64 stays, everything else is f32.
fn wide(x: &Tensor) -> Result<Tensor> {
    if x.dtype() == DType::F64 { Ok(x.clone()) } else { x.to_dtype(DType::F32) }
}

pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let dtype = activation_dtype(weight.dtype(), weight.device());
    // As one matrix: a product over batches would copy the weight for each.
    let rows = x.to_dtype(dtype)?.reshape(((), inputs))?;
    let mut y = rows.matmul(&weight.to_dtype(dtype)?.t()?)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(&bias.to_dtype(dtype)?)?;
    }
    let mut dims = x.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = outputs;
    }
    y.reshape(dims)
}

/// The weights `[outputs, inputs]` in f32.
pub(super) fn dequantize(weight: QuantizedMatrix<'_>, device: &Device) -> Result<Tensor> {
    let (outputs, inputs) = (weight.outputs(), weight.inputs());
    let mut values = vec![0f32; outputs * inputs];
    for (row, out) in values.chunks_exact_mut(inputs.max(1)).enumerate() {
        weight.dequantize_row(row, out);
    }
    Tensor::from_vec(values, (outputs, inputs), device)
}

pub(super) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    let wide = wide(x)?;
    let square = wide.sqr()?.mean_keepdim(D::Minus1)?;
    let normed = wide.broadcast_div(&(square + f64::from(eps))?.sqrt()?)?;
    normed.broadcast_mul(weight)?.to_dtype(x.dtype())
}

pub(super) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    let wide = wide(x)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normed = centred.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)?;
    normed.broadcast_mul(weight)?.broadcast_add(bias)?.to_dtype(x.dtype())
}

pub(super) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = x.dim(2)? / 2;
    let wide = wide(x)?;
    let table = |table: &Tensor| table.to_dtype(wide.dtype())?.unsqueeze(1);
    let (cos, sin) = (table(cos)?, table(sin)?);
    let (a, b) = (wide.narrow(2, 0, half)?, wide.narrow(2, half, half)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    Tensor::cat(&[first, second], 2)?.to_dtype(x.dtype())
}
