//! CPU kernels on plain slices: the only crate of the project that may hold `unsafe`.
//!
//! Everything computes in f32; weights and KV caches may be *stored* as f32, bf16 or f16 (caches also in 8 bits) and are
//! widened tile by tile, so a bf16 checkpoint costs bf16 memory and loses nothing more to rounding.
//!
//! Each kernel splits its work into pieces whose borders do not depend on the number of threads, so results are
//! bit-equal for every `RAYON_NUM_THREADS`.
//!
//! Reading order: [`Values`] (storage), [`linear()`], [`attention()`], then the row-wise kernels.

mod activation;
mod amx;
mod attention;
mod attention_mass;
mod bf16_tiles;
mod integer;
mod key_values;
mod kv_q8;
mod linear;
mod memory;
mod norm;
mod prefetch;
pub mod roofline;
mod rotary;
mod simd;
#[cfg(test)]
mod test_numbers;
mod tiles;
mod transpose;
mod values;

pub use activation::{gelu_erf, gelu_tanh, silu_mul};
pub use attention::{Attention, attention};
pub use attention_mass::{AttentionMass, attention_mass};
pub use integer::{Format, QuantizedLinear, QuantizedMatrix, quantize_int8, quantized_linear};
pub use key_values::{KeyValues, KvStore};
pub use kv_q8::{dequantize_q8, quantize_q8};
pub use linear::{Linear, linear};
pub use memory::{HugePages, MOST_SPARE_BYTES, MappedFile, return_large_blocks};
pub use norm::{layer_norm, rms_norm};
pub use rotary::rotate_half;
pub use simd::instruction_set;
pub use values::Values;

/// Threads that the kernels use: `RAYON_NUM_THREADS`, or as many as the machine has.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
