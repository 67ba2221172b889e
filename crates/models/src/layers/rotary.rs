//! Rotary positions: tables come from a `RopePlan`, in f32 whatever the model's dtype. bf16 angles are wrong past a
//! few hundred positions.

use super::cpu::in_place3;
use candle_core::{DType, Device, Result, Tensor, bail};
use longsight_kernels as kernels;
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
}

/// Rotates `x` `[tokens, heads, head_dim]` by the positions of `table`, half-split layout.
pub fn rotate(x: Tensor, table: &Rotary) -> Result<Tensor> {
    let (tokens, heads, head_dim) = x.dims3()?;
    if table.cos.dims() != [tokens, head_dim / 2] {
        bail!("rotary table {:?} given {:?}", table.cos.dims(), x.dims());
    }
    if x.device().is_cpu() {
        return in_place3("rotate-half", x, &table.cos, &table.sin, |x, cos, sin| {
            kernels::rotate_half(x, cos, sin, heads, head_dim);
        });
    }
    let half = head_dim / 2;
    let (cos, sin) = (table.cos.unsqueeze(1)?, table.sin.unsqueeze(1)?);
    let wide = x.to_dtype(DType::F32)?;
    let (a, b) = (wide.narrow(2, 0, half)?, wide.narrow(2, half, half)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    Tensor::cat(&[first, second], 2)?.to_dtype(x.dtype())
}
