//! Applies a pool plan to projected features, one frame at a time.

use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
use longsight_method::{NewlineMode, PoolMode, PoolPlan, bilinear_axis};

/// Visual tokens of one frame, newlines inside its span included.
///
/// `features` `[grid_side * grid_side, hidden]`, row-major; `newline` `[hidden]`; `frame` counts within the plan.
/// Returns `[frame's tokens + frame's newlines, hidden]`.
pub fn pool_frame(plan: &PoolPlan, frame: usize, features: &Tensor, newline: &Tensor) -> Result<Tensor> {
    let pooled = plan.frames.get(frame).ok_or_else(|| {
        ModelError::Argument(format!("frame {frame} is not in a plan of {} frames", plan.frames.len()))
    })?;
    let (grid, side, stride) = (plan.grid_side, pooled.side, pooled.stride);
    let (_, hidden) = features.dims2()?;
    let x = features.reshape((grid, grid, hidden))?;
    let x = match plan.mode {
        PoolMode::Bilinear => bilinear(&bilinear(&x, 0, grid, stride)?, 1, grid, stride)?,
        PoolMode::Average => windows(&x, side, stride)?.mean(3)?.mean(1)?,
        PoolMode::Max => windows(&x, side, stride)?.max(3)?.max(1)?,
    };
    let newline = newline.to_dtype(x.dtype())?;
    match plan.newline {
        NewlineMode::Grid => {
            let ends = newline.reshape((1, 1, hidden))?.broadcast_as((side, 1, hidden))?;
            Ok(Tensor::cat(&[x, ends.contiguous()?], 1)?.reshape((side * (side + 1), hidden))?)
        }
        NewlineMode::Frame => {
            let rows = x.reshape((side * side, hidden))?;
            Ok(Tensor::cat(&[rows, newline.reshape((1, hidden))?], 0)?)
        }
        NewlineMode::OneToken | NewlineMode::None => Ok(x.reshape((side * side, hidden))?),
    }
}

/// Interpolates along `dim` (torch `interpolate`, `align_corners=False`, no antialiasing).
fn bilinear(x: &Tensor, dim: usize, grid: usize, stride: usize) -> candle_core::Result<Tensor> {
    let taps = bilinear_axis(grid, stride);
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

/// The stride x stride windows `[side, stride, side, stride, hidden]`; what does not fill a window is left out.
fn windows(x: &Tensor, side: usize, stride: usize) -> candle_core::Result<Tensor> {
    let hidden = x.dim(2)?;
    let used = x.narrow(0, 0, side * stride)?.narrow(1, 0, side * stride)?.contiguous()?;
    used.reshape(vec![side, stride, side, stride, hidden])
}
