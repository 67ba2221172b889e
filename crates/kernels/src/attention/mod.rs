//! Tiled attention with online softmax: never holds more than one tile of scores a task.
//!
//! Grouped-query aware: the query heads that share a key head are stacked into one tile, so keys are widened once for
//! all of them. Online softmax: Milakov & Gimelshein, arXiv 1805.02867; tiling as in FlashAttention, arXiv 2205.14135.

mod bf16;
mod call;
mod f32;
mod mass;
mod softmax;
mod tasks;

pub use call::Attention;
pub use mass::{AttentionMass, attention_mass};
pub use tasks::attention;
