//! NTK-aware base change: theta becomes theta * s^(d/(d-2)), so that the slowest pair is divided by s
//! and the fastest is kept (B. Peng et al., arXiv 2309.00071, section 3.1).

use super::{RopeShape, base_inv_freq};
use crate::MethodError;

pub(super) fn inv_freq(shape: &RopeShape, scale: f64) -> Result<Vec<f64>, MethodError> {
    if shape.head_dim <= 2 {
        return Err(MethodError::NtkHeadDim);
    }
    let d = shape.head_dim as f64;
    let theta = shape.theta * scale.powf(d / (d - 2.0));
    if !theta.is_finite() {
        return Err(MethodError::NtkOverflow { theta: shape.theta, scale });
    }
    Ok(base_inv_freq(theta, shape.head_dim))
}
