//! The shape of a product with weights in floats.

use crate::Values;

/// Shape of a product: `x [rows, inputs]`, `weight [outputs, inputs]`, `bias [outputs]`, `y [rows, outputs]`.
#[derive(Clone, Copy)]
pub struct Linear<'a> {
    /// Row-major `[outputs, inputs]`.
    pub weight: Values<'a>,
    /// `[outputs]`, or none.
    pub bias: Option<Values<'a>>,
    /// Width of a row of `x`.
    pub inputs: usize,
    /// Width of a row of `y`.
    pub outputs: usize,
}
