//! The ramp that YaRN (B. Peng et al., arXiv 2309.00071, section 3.2) and visual context window extension
//! (arXiv 2409.20018) share. They differ in the window alone: language for the first, visual for the second.

use std::f64::consts::TAU;

use super::{Ramp, RopeShape};

/// The training window L with the rotation counts that bound the ramp.
pub(super) struct Window {
    pub(super) tokens: usize,
    pub(super) alpha: f64,
    pub(super) beta: f64,
}

impl Window {
    /// For each pair, 0 = keep the frequency, 1 = divide it by s.
    pub(super) fn interpolation(&self, ramp: Ramp, shape: &RopeShape, base: &[f64]) -> Vec<f64> {
        match ramp {
            Ramp::Truncated => {
                let (low, high) = self.truncated_bounds(shape);
                index_ramp(low, high, base.len())
            }
            Ramp::Untruncated => {
                let low = self.pair_with_rotations(self.beta, shape).max(0.0);
                let high = self.pair_with_rotations(self.alpha, shape).min(last_index(shape));
                index_ramp(low, high, base.len())
            }
            Ramp::Rotation => base.iter().map(|frequency| 1.0 - self.kept_fraction(*frequency)).collect(),
        }
    }

    /// `low = max(floor(dim(beta)), 0)` and `high = min(ceil(dim(alpha)), d-1)`, where the clamp is d-1 and
    /// not d/2-1, as in the reference. Both are whole numbers; high is negative for a window so short that
    /// even the fastest pair turns fewer than alpha times.
    pub(super) fn truncated_bounds(&self, shape: &RopeShape) -> (f64, f64) {
        let low = self.pair_with_rotations(self.beta, shape).floor().max(0.0);
        let high = self.pair_with_rotations(self.alpha, shape).ceil().min(last_index(shape));
        (low, high)
    }

    /// `dim(n) = d ln(L / (2 pi n)) / (2 ln b)`: the pair index that turns n times inside the window.
    fn pair_with_rotations(&self, rotations: f64, shape: &RopeShape) -> f64 {
        shape.head_dim as f64 * (self.tokens as f64 / (rotations * TAU)).ln() / (2.0 * shape.theta.ln())
    }

    /// gamma_i as the papers print it, from the rotations r_i = L / lambda_i.
    fn kept_fraction(&self, frequency: f64) -> f64 {
        let rotations = self.tokens as f64 * frequency / TAU;
        ((rotations - self.alpha) / (self.beta - self.alpha)).clamp(0.0, 1.0)
    }
}

/// `theta'_i = gamma_i f_i + (1 - gamma_i) f_i / s` with `1 - gamma_i` given (YaRN, definition 2).
pub(super) fn inv_freq(base: &[f64], scale: f64, interpolation: &[f64]) -> Vec<f64> {
    if scale == 1.0 {
        // The two terms add up to f_i only up to rounding; an untouched window must stay untouched.
        return base.to_vec();
    }
    let pairs = base.iter().zip(interpolation);
    pairs.map(|(frequency, ramp)| frequency / scale * ramp + frequency * (1.0 - ramp)).collect()
}

fn last_index(shape: &RopeShape) -> f64 {
    shape.head_dim as f64 - 1.0
}

/// As the reference has it, also where high < low (a window under 2 pi alpha tokens, or one in which even the
/// slowest pairs turn more than beta times): there its ramp is all 0, or all 1.
fn index_ramp(low: f64, high: f64, pairs: usize) -> Vec<f64> {
    let high = if high == low { low + 0.001 } else { high };
    (0..pairs).map(|i| ((i as f64 - low) / (high - low)).clamp(0.0, 1.0)).collect()
}
