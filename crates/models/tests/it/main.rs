//! The forward passes and loaders against transformers' goldens and hostile checkpoints.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod adapter;
mod config;
mod dtypes;
mod folder;
mod gguf;
mod hostile;
mod kv_cache;
mod layouts;
mod parity;
mod quantized;
mod smolvlm;
mod templates;
mod text_only;
mod tokenizer;
