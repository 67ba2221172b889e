//! Language decoders: embeddings and a KV cache to logits.

mod config;
mod probe;
mod transformer;

pub use config::DecoderConfig;
pub use probe::AttentionProbe;
pub use transformer::Decoder;
