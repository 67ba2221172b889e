//! Rotary position embedding (RoPE) under each context method.
//!
//! With base b and head size d, pair i of d/2 turns by `f_i = b^(-2i/d)` radians a position. A method
//! changes these frequencies by the scale s = tokens asked for / tokens trained on (arXiv 2409.20018,
//! eq. 3), and perhaps multiplies cos and sin by an attention factor m. Everything is f64 until the table.

mod linear;
mod ntk;
mod ramp;
mod settings;
mod table;

pub use settings::{ContextMethod, Ramp, RopeSettings, RopeShape, Scale};
pub use table::CosSin;

use serde::Serialize;

use crate::MethodError;

/// The frequencies of one prompt and how they came about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RopePlan {
    /// The context method.
    pub method: ContextMethod,
    /// The scale s actually used: at least 1, and 1 for `none`.
    pub scale: f64,
    /// The attention factor m actually used; it multiplies cos and sin, so logits grow by m squared.
    pub attention_factor: f64,
    /// Radians a position, one for each of the head_dim/2 pairs.
    pub inv_freq: Vec<f64>,
    /// The last pair index that keeps its frequency; set for the truncated ramp of `yarn` and `vcwe`.
    pub ramp_low: Option<usize>,
    /// The first pair index that is divided by s in full; set for the truncated ramp of `yarn` and `vcwe`.
    pub ramp_high: Option<usize>,
    /// The training window, in tokens, that s and the ramp were computed from.
    pub window_tokens: usize,
}

impl RopePlan {
    /// Frequencies for a prompt that holds `visual_tokens` (as [`crate::PoolPlan::window_tokens`] counts them).
    ///
    /// s = max(1, visual_tokens / window) under [`Scale::Auto`] (eq. 3), where the window is the visual one,
    /// or the language window for `yarn`. s never depends on text, so questions can share a visual prefix.
    ///
    /// # Errors
    /// If the settings or the shape are out of range; the message names the value.
    pub fn new(
        settings: &RopeSettings,
        shape: &RopeShape,
        visual_tokens: usize,
    ) -> Result<RopePlan, MethodError> {
        settings.validate()?;
        shape.validate()?;
        let method = settings.method;
        let window_tokens = match method {
            ContextMethod::Yarn => shape.language_window_tokens,
            _ => shape.visual_window_tokens,
        };
        let scale = match (method, settings.scale) {
            (ContextMethod::None, _) => 1.0,
            (_, Scale::Fixed(scale)) => scale,
            (_, Scale::Auto) => (visual_tokens as f64 / window_tokens as f64).max(1.0),
        };
        let base = base_inv_freq(shape.theta, shape.head_dim);
        let (mut ramp_low, mut ramp_high) = (None, None);
        let inv_freq = match method {
            ContextMethod::None => base,
            ContextMethod::Linear => linear::inv_freq(&base, scale),
            ContextMethod::Ntk => ntk::inv_freq(shape, scale)?,
            ContextMethod::Yarn | ContextMethod::Vcwe => {
                let window =
                    ramp::Window { tokens: window_tokens, alpha: settings.alpha, beta: settings.beta };
                if settings.ramp == Ramp::Truncated {
                    let (low, high) = window.truncated_bounds(shape);
                    (ramp_low, ramp_high) = (Some(low as usize), Some(high as usize));
                }
                ramp::inv_freq(&base, scale, &window.interpolation(settings.ramp, shape, &base))
            }
        };
        let ramped = matches!(method, ContextMethod::Yarn | ContextMethod::Vcwe);
        let attention_factor = if ramped && settings.attention_factor { 0.1 * scale.ln() + 1.0 } else { 1.0 };
        Ok(RopePlan { method, scale, attention_factor, inv_freq, ramp_low, ramp_high, window_tokens })
    }
}

/// `f_i = theta^(-2i/d)` for i = 0 .. d/2-1: the frequencies that the model was trained with.
fn base_inv_freq(theta: f64, head_dim: usize) -> Vec<f64> {
    (0..head_dim / 2).map(|i| theta.powf(-((2 * i) as f64) / head_dim as f64)).collect()
}
