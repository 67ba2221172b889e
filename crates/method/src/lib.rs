//! The mathematics of visual context window extension and progressive pooling
//! (H. Wei, Z. Chen, "Visual Context Window Extension: A New Perspective for Long Video Understanding",
//! arXiv 2409.20018). No tensors, no device, no input or output: numbers in, plans out.
//!
//! - [`rope`]: the context methods (none, linear, NTK, YaRN, visual window) as one [`RopePlan`].
//! - [`pooling`]: [`PoolPlan`], the tokens of every frame before any tensor exists.
//! - [`position`]: [`PositionPlan`], what every position of the prompt is.
//! - [`chunks`]: [`chunk_plan`], the prefill's chunks, the same in every run.
//! - [`budget`]: bytes and floating-point operations of a run, and the solver for what fits.

pub mod budget;
pub mod chunks;
mod error;
mod names;
pub mod pooling;
pub mod position;
pub mod rope;

pub use budget::{EngineShape, Flops, ModelShape, TowerShape, largest_fitting};
pub use chunks::chunk_plan;
pub use error::MethodError;
pub use pooling::{
    AxisTap, FrameRole, NewlineMode, PoolMode, PoolPlan, PoolSpec, PooledFrame, bilinear_axis, pooled_side,
};
pub use position::{PositionPlan, Segment, SegmentKind};
pub use rope::{ContextMethod, CosSin, Ramp, RopePlan, RopeSettings, RopeShape, Scale};
