//! For tests, the demo and benchmarks only: reference values made with transformers ([`golden`]), tolerances
//! as types ([`tolerance`]), checkpoints of any shape with seeded random weights ([`checkpoint`]), the
//! tensor-name layouts they come in ([`layouts`]), GGUF files ([`gguf`]), synthetic videos ([`video`]) and a small HTTP server ([`http`]).
//!
//! Everything here panics on failure: in a test a failed unwrap is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod checkpoint;
mod config;
pub mod gguf;
pub mod golden;
pub mod http;
pub mod layouts;
pub mod safetensors_writer;
pub mod shape;
pub mod tokenizer;
pub mod tolerance;
pub mod video;

pub use checkpoint::SeededCheckpoint;
pub use golden::{Golden, SMOLVLM_CASES, SmolVlmMeta, cases};
pub use layouts::Layout;
pub use safetensors_writer::Dtype;
pub use shape::{ModelShape, Shape};
pub use tokenizer::qwen_tokenizer_json;
pub use tolerance::{Tolerance, cosine, relative_error};
pub use video::SyntheticVideo;

/// The folder of this crate's data: goldens, the Qwen tokenizer and its reference encodings.
pub fn data_dir() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}
