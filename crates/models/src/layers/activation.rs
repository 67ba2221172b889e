//! Activations; each takes its input by value, since on the CPU it is changed in place.

use super::cpu::{in_place1, in_place2};
use candle_core::{Result, Tensor};
use longsight_kernels as kernels;

/// GELU, tanh form (`gelu_pytorch_tanh`); any shape.
pub fn gelu_tanh(x: Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x.gelu();
    }
    in_place1("gelu-tanh", x, kernels::gelu_tanh)
}

/// GELU, exact form by the error function; any shape.
pub fn gelu_erf(x: Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return x.gelu_erf();
    }
    in_place1("gelu-erf", x, kernels::gelu_erf)
}

/// silu(gate) * up; both of one shape.
pub fn silu_mul(gate: Tensor, up: &Tensor) -> Result<Tensor> {
    if !gate.device().is_cpu() {
        return gate.silu()?.mul(up);
    }
    in_place2("silu-mul", gate, up, kernels::silu_mul)
}
