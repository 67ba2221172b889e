//! Language decoders: embeddings and a KV cache to logits.

mod qwen2;

pub use qwen2::{Qwen2, Qwen2Config};
