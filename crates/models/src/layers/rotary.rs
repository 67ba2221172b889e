//! Rotary positions: tables come from a `RopePlan`, in f32 whatever the model's dtype. bf16 angles are wrong past a
//! few hundred positions.

use crate::backend::Backend;
use candle_core::{Device, Result, Tensor, bail};
use longsight_method::RopePlan;

/// cos and sin `[tokens, head_dim / 2]` of the positions of consecutive tokens, in f32.
pub struct Rotary {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    /// The table of `positions`, one a token, under `plan`.
    pub fn new(plan: &RopePlan, positions: &[usize], device: &Device) -> Result<Self> {
        let table = plan.table(positions);
        let shape = (positions.len(), table.half_dim);
        Ok(Self {
            cos: Tensor::from_vec(table.cos, shape, device)?,
            sin: Tensor::from_vec(table.sin, shape, device)?,
        })
    }

    /// Rotates `x` `[tokens, heads, head_dim]` by these tokens' positions, half-split layout.
    pub fn rotate(&self, x: Tensor, backend: Backend) -> Result<Tensor> {
        let (tokens, _, head_dim) = x.dims3()?;
        if self.cos.dims() != [tokens, head_dim / 2] {
            bail!("rotary table {:?} given {:?}", self.cos.dims(), x.dims());
        }
        backend.rotate(x, &self.cos, &self.sin)
    }
}
