//! Weights and forward passes: from a checkpoint folder to pixels, visual tokens and logits.
//!
//! The data's way: [`processor`] (frames to pixels, conversation to token ids) -> [`vision`] (patch features) ->
//! [`projector`] -> [`pool`] (applies a pool plan) -> [`text`] (embeddings, prefill, logits) over a [`KvCache`].
//! [`families`] reads a family's config and tensor names and wires these parts; it computes nothing itself.
//! [`layers`] holds the only copy of every layer.

mod error;
pub mod families;
mod files;
pub mod kv_cache;
pub mod layers;
pub mod pool;
pub mod processor;
pub mod projector;
pub mod text;
pub mod vision;
pub mod weights;

pub use candle_core::{DType, Device, Error as TensorError, Tensor};
pub use error::ModelError;
pub use families::llava::{Description, Llava, LoadSettings, ModelInfo, QuantizedCheckpoint, quantize};
pub use kv_cache::{KvCache, KvDtype};
pub use weights::{Dtypes, StoredMatrices, WeightDtype};

/// Result with this crate's error.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;
