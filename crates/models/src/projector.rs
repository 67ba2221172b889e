//! Patch features to the language model's width: Linear, exact GELU, Linear.

use crate::Result;
use crate::layers::{Linear, gelu_erf};
use crate::weights::Weights;
use candle_core::Tensor;

/// The two-layer projector (`mlp2x_gelu`).
pub struct Projector {
    first: Linear,
    second: Linear,
}

impl Projector {
    /// Loads a projector from `vision_hidden` to `text_hidden`.
    pub fn load(weights: &Weights<'_>, vision_hidden: usize, text_hidden: usize) -> Result<Self> {
        Ok(Self {
            first: Linear::load(&weights.below("0"), vision_hidden, text_hidden, true)?,
            second: Linear::load(&weights.below("1"), text_hidden, text_hidden, true)?,
        })
    }

    /// `[.., vision_hidden]` -> `[.., text_hidden]`.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(self.second.forward(&gelu_erf(self.first.forward(features)?)?)?)
    }
}
