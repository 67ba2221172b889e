//! LLaVA-OneVision and LLaVA-Video: SigLIP, a two-layer projector, Qwen2.

mod config;
mod hf;
mod json;
mod lmms;
mod model;
mod quantize;

pub use config::{Family, LlavaConfig, PixelSettings};
pub use model::{Description, Llava, LoadSettings, ModelInfo};
pub use quantize::{QuantizedCheckpoint, quantize};
