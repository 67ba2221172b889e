//! Low-rank terms added to linear layers whose own weights stay as they are (LoRA, arXiv 2106.09685).

use crate::backend::Backend;
use crate::{ModelError, Result};
use candle_core::Tensor;
use std::collections::BTreeMap;

/// `(alpha / r) B (A x)`, for a layer of `inputs` and `outputs`. With the tensor backend gradients reach A and B where they
/// are variables.
#[derive(Debug, Clone)]
pub struct LowRank {
    /// A, `[r, inputs]`.
    down: Tensor,
    /// B, `[outputs, r]`.
    up: Tensor,
    scale: f64,
}

impl LowRank {
    /// The term of A `[r, inputs]` and B `[outputs, r]`, both of one dtype and on the model's device.
    ///
    /// # Errors
    /// Shapes that do not fit each other, a rank of 0, an `alpha` that is not a number.
    pub fn new(a: Tensor, b: Tensor, alpha: f64) -> Result<Self> {
        match (a.dims(), b.dims()) {
            ([rank, _], [_, columns]) if rank == columns && *rank > 0 && alpha.is_finite() => {
                Ok(Self { scale: alpha / *rank as f64, down: a, up: b })
            }
            (a, b) => Err(ModelError::Argument(format!(
                "a low-rank term needs A [r, inputs], B [outputs, r] and a finite alpha; these are A {a:?}, B {b:?}, alpha {alpha}"
            ))),
        }
    }

    /// `[outputs, inputs]` of the layer that it fits.
    fn shape(&self) -> Result<[usize; 2]> {
        Ok([self.up.dim(0)?, self.down.dim(1)?])
    }

    /// `y` and the term of `x` `[.., inputs]`, `[.., outputs]`.
    pub(crate) fn add(&self, y: Tensor, x: &Tensor, backend: Backend) -> candle_core::Result<Tensor> {
        let term = backend.linear(&backend.linear(x, &self.down, None)?, &self.up, None)?;
        &y + (term * self.scale)?.to_dtype(y.dtype())?
    }
}

/// Low-rank terms by the canonical name of their layer, such as `text.layers.0.self_attn.q_proj`.
#[derive(Debug, Clone, Default)]
pub struct Adapters {
    terms: BTreeMap<String, LowRank>,
}

impl Adapters {
    /// Puts `term` to the layer, in place of one that it had.
    pub fn insert(&mut self, layer: impl Into<String>, term: LowRank) {
        self.terms.insert(layer.into(), term);
    }

    /// The layers that have a term.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.terms.keys().map(String::as_str)
    }

    /// The term of `layer`, which has the shape `[outputs, inputs]`, if it has one.
    pub(crate) fn get(&self, layer: &str, shape: [usize; 2]) -> Result<Option<&LowRank>> {
        let Some(term) = self.terms.get(layer) else { return Ok(None) };
        let found = term.shape()?;
        if found != shape {
            return Err(ModelError::Argument(format!(
                "adapter of `{layer}`: B A is {found:?}, the layer's weight {shape:?}; is it of another model?"
            )));
        }
        Ok(Some(term))
    }
}
