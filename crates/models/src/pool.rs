//! Applies a pool plan to visual tokens, one unit at a time.

use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
use longsight_method::{Grid, NewlineMode, PoolMode, PoolPlan, bilinear_axis};

/// Visual tokens of one unit, newlines inside its span included.
///
/// `features` `[tokens of the plan's grid, hidden]`, row-major; `newline` `[hidden]`, where the plan has newlines; `unit`
/// counts within the plan. Returns `[unit's tokens + unit's newlines, hidden]`.
pub fn pool_unit(
    plan: &PoolPlan,
    unit: usize,
    features: &Tensor,
    newline: Option<&Tensor>,
) -> Result<Tensor> {
    let pooled = plan.units.get(unit).ok_or_else(|| {
        ModelError::Argument(format!("unit {unit} is not in a plan of {} units", plan.units.len()))
    })?;
    let (_, hidden) = features.dims2()?;
    let Grid { time, rows, columns } = plan.grid;
    let slices = features.reshape((time, rows, columns, hidden))?;
    let pooled_slice = |t: usize| pool_slice(plan, &slices.get(t)?, pooled.grid, pooled.stride);
    let x = Tensor::cat(&(0..time).map(pooled_slice).collect::<candle_core::Result<Vec<_>>>()?, 0)?;
    let Grid { time, rows, columns } = pooled.grid;
    let newline = || match newline {
        Some(newline) => Ok(newline.to_dtype(x.dtype())?),
        None => Err(ModelError::Argument("a plan with newlines for a model without".into())),
    };
    match plan.newline {
        NewlineMode::Grid => {
            let ends = newline()?.reshape((1, 1, hidden))?.broadcast_as((time * rows, 1, hidden))?;
            let lines = Tensor::cat(&[x.clone(), ends.contiguous()?], 1)?;
            Ok(lines.reshape((time * rows * (columns + 1), hidden))?)
        }
        NewlineMode::Frame => {
            let tokens = x.reshape((pooled.visual_tokens, hidden))?;
            Ok(Tensor::cat(&[tokens, newline()?.reshape((1, hidden))?], 0)?)
        }
        NewlineMode::OneToken | NewlineMode::None => Ok(x.reshape((pooled.visual_tokens, hidden))?),
    }
}

/// `[rows, columns, hidden]` to those of `pooled`.
fn pool_slice(plan: &PoolPlan, x: &Tensor, pooled: Grid, stride: usize) -> candle_core::Result<Tensor> {
    let Grid { rows, columns, .. } = plan.grid;
    match plan.mode {
        PoolMode::Bilinear => bilinear(&bilinear(x, 0, rows, stride)?, 1, columns, stride),
        PoolMode::Average => windows(x, pooled, stride)?.mean(3)?.mean(1),
        PoolMode::Max => windows(x, pooled, stride)?.max(3)?.max(1),
    }
}

/// Interpolates along `dim` (torch `interpolate`, `align_corners=False`, no antialiasing).
fn bilinear(x: &Tensor, dim: usize, length: usize, stride: usize) -> candle_core::Result<Tensor> {
    let taps = bilinear_axis(length, stride);
    let rows = |pick: fn(&longsight_method::AxisTap) -> usize| -> candle_core::Result<Tensor> {
        let indices: Vec<u32> = taps.iter().map(|t| pick(t) as u32).collect();
        x.index_select(&Tensor::from_vec(indices, taps.len(), x.device())?, dim)
    };
    let mut shape = [1, 1, 1];
    shape[dim] = taps.len();
    let weights =
        |f: fn(f64) -> f64| weight_tensor(taps.iter().map(|t| f(t.w)), &shape, x.device(), x.dtype());
    let near = rows(|t| t.i0)?.broadcast_mul(&weights(|w| 1.0 - w)?)?;
    let far = rows(|t| t.i1)?.broadcast_mul(&weights(|w| w)?)?;
    near + far
}

fn weight_tensor(
    weights: impl Iterator<Item = f64>,
    shape: &[usize; 3],
    device: &Device,
    dtype: DType,
) -> candle_core::Result<Tensor> {
    let values: Vec<f32> = weights.map(|w| w as f32).collect();
    Tensor::from_vec(values, shape.as_slice(), device)?.to_dtype(dtype)
}

/// The stride x stride windows `[rows, stride, columns, stride, hidden]`; what does not fill a window is left out.
fn windows(x: &Tensor, pooled: Grid, stride: usize) -> candle_core::Result<Tensor> {
    let hidden = x.dim(2)?;
    let Grid { rows, columns, .. } = pooled;
    let used = x.narrow(0, 0, rows * stride)?.narrow(1, 0, columns * stride)?.contiguous()?;
    used.reshape(vec![rows, stride, columns, stride, hidden])
}
