//! Language decoders: embeddings and a KV cache to logits.

mod probe;
mod qwen2;

pub use probe::AttentionProbe;
pub use qwen2::{Qwen2, Qwen2Config};
