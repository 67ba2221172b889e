//! Activations; each takes its input by value, since on the CPU it is changed in place.

use super::storage::{floats, floats_mut};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Tensor};
use longsight_kernels as kernels;

struct InPlace(&'static str, fn(&mut [f32]));

impl InplaceOp1 for InPlace {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        (self.1)(floats_mut(storage, layout)?);
        Ok(())
    }
}

struct SiluMul;

impl InplaceOp2 for SiluMul {
    fn name(&self) -> &'static str {
        "silu-mul"
    }

    fn cpu_fwd(
        &self,
        gate: &mut CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<()> {
        kernels::silu_mul(floats_mut(gate, gate_layout)?, floats(up, up_layout)?);
        Ok(())
    }
}

/// GELU, tanh form (`gelu_pytorch_tanh`); any shape.
pub fn gelu_tanh(x: Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x.gelu();
    }
    x.inplace_op1(&InPlace("gelu-tanh", kernels::gelu_tanh))?;
    Ok(x)
}

/// GELU, exact form by the error function; any shape.
pub fn gelu_erf(x: Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x.gelu_erf();
    }
    x.inplace_op1(&InPlace("gelu-erf", kernels::gelu_erf))?;
    Ok(x)
}

/// silu(gate) * up; both of one shape.
pub fn silu_mul(gate: Tensor, up: &Tensor) -> Result<Tensor> {
    if !gate.device().is_cpu() {
        return gate.silu()?.mul(up);
    }
    gate.inplace_op2(up, &SiluMul)?;
    Ok(gate)
}
