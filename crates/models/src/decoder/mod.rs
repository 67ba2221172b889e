//! Language decoders: embeddings and a KV cache to logits.

mod probe;
mod transformer;

pub use probe::AttentionProbe;
pub use transformer::{Decoder, DecoderConfig};
