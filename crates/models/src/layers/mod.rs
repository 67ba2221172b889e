//! The only copy of every layer. Each computes in f32 on the CPU through `longsight-kernels`, and by plain tensor
//! operations on other devices.

mod activation;
mod attention;
mod cpu;
mod linear;
mod norm;
mod rotary;

pub use activation::{gelu_erf, gelu_tanh, silu_mul};
pub use attention::{AttentionInput, attention};
pub(crate) use attention::{
    MassQuery, QuantizedInput, attention_mass, attention_mass_quantized, attention_quantized,
};
pub(crate) use cpu::on_pool;
pub use linear::Linear;
pub use norm::{LayerNorm, RmsNorm};
pub use rotary::{Rotary, rotate};
