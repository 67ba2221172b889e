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
pub use linear::Linear;
pub use norm::{LayerNorm, RmsNorm};
pub use rotary::{Rotary, rotate};

use candle_core::Device;

/// Runs `work` on a thread of the pool, whose parallel products then start there: from any other thread each of them would be
/// handed over and waited for, which in decoding takes as long as the smaller products themselves.
pub(crate) fn on_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    if device.is_cpu() { rayon::scope(|_| work()) } else { work() }
}
