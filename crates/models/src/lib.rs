//! Weights and forward passes: from a checkpoint folder to pixels, visual tokens and logits.
//!
//! The data's way: [`processor`] (frames to pixels, conversation to token ids) -> [`vision`] (patch features) ->
//! [`merger`] -> [`pool`] (applies a pool plan) -> [`decoder`] (embeddings, prefill, logits) over a [`KvCache`].
//! [`families`] reads a family's config and tensor names and wires these parts; it computes nothing itself.
//! [`layers`] holds the only copy of every layer, and [`backend`] says who computes it.

pub mod adapter;
pub mod backend;
pub mod config;
pub mod decoder;
mod error;
pub mod families;
pub mod family;
mod files;
#[cfg(test)]
mod gradients;
mod guard;
mod json;
pub mod kv_cache;
pub mod layers;
mod lmm;
pub mod merger;
mod parts;
pub mod pool;
pub mod processor;
mod quantize;
pub mod vision;
pub mod weights;

pub use adapter::{Adapters, LowRank};
pub use backend::Backend;
pub use candle_core::{DType, Device, Error as TensorError, Tensor};
pub use config::ModelConfig;
pub use error::ModelError;
pub use kv_cache::{KvCache, KvDtype};
pub use lmm::{Description, Lmm, LoadSettings, ModelInfo};
pub use quantize::{QuantizedCheckpoint, quantize};
pub use weights::{Dtypes, StoredMatrices, WeightDtype};

/// Result with this crate's error.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;
