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
mod bf16_tiles;
mod float;
mod int;
mod isa;
mod key_values;
mod kv_q8;
mod memory;
mod norm;
mod prefetch;
mod quantized;
pub mod roofline;
mod rotary;
mod signals;
mod simd;
#[cfg(test)]
mod test_numbers;
mod tiles;
mod transpose;
mod values;

pub use activation::{gelu_erf, gelu_tanh, silu_mul};
pub use attention::{Attention, AttentionMass, attention, attention_mass};
pub use float::{Linear, linear};
pub use int::{QuantizedLinear, quantized_linear};
pub use isa::instruction_set;
pub use key_values::{KeyValues, KvStore};
pub use kv_q8::{dequantize_q8, quantize_q8};
pub use memory::{HugePages, MOST_SPARE_BYTES, MappedFile, return_large_blocks};
pub use norm::{layer_norm, rms_norm};
pub use quantized::{Format, QuantizedMatrix, quantize_int8};
pub use rotary::rotate_half;
pub use signals::fail_writes_past_size_limit;
pub use values::Values;

/// Threads that the kernels use: `RAYON_NUM_THREADS`, or as many as the machine has.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
