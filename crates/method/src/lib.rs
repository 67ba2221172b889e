//! The mathematics of visual context window extension and progressive pooling
//! (H. Wei, Z. Chen, "Visual Context Window Extension: A New Perspective for Long Video Understanding",
//! arXiv 2409.20018). No tensors, no device, no input or output: numbers in, plans out.
//!
//! - [`rope`]: the context methods (none, linear, NTK, YaRN, visual window) as one [`RopePlan`].
//! - [`reduce`]: [`PoolPlan`], the tokens of every unit before any tensor exists.
//! - [`layout`]: [`PromptLayout`], what stands in every slot of the prompt.
//! - [`positions`]: from slots to rotary positions.
//! - [`chunks`]: [`chunk_plan`], the prefill's chunks, the same in every run.
//! - [`budget`]: bytes and floating-point operations of a run, and the solver for what fits.

pub mod budget;
pub mod chunks;
mod error;
mod grid;
pub mod layout;
mod names;
pub mod positions;
pub mod reduce;
pub mod rope;

pub use budget::{Flops, KvShape, ModelShape, TowerShape, largest_fitting};
pub use chunks::chunk_plan;
pub use error::MethodError;
pub use grid::Grid;
pub use layout::{PromptLayout, Segment, SegmentKind};
pub use positions::Positions;
pub use reduce::{
    AxisTap, NewlineMode, PoolMode, PoolPlan, PoolSpec, PooledUnit, UnitRole, bilinear_axis, pooled_length,
};
pub use rope::{ContextMethod, CosSin, Ramp, RopePlan, RopeSettings, RopeShape, Scale};
