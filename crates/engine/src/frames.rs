//! A run's visual tokens, wherever they come from, and what became of the frames.

use crate::Result;
use crate::timings::Timings;
use longsight_models::Tensor;

/// A frame that had to be replaced by a neighbour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replaced {
    /// Place among the sampled frames.
    pub(crate) ordinal: usize,
    /// Index of the good frame that stands in.
    pub(crate) by_index: usize,
}

/// What became of the frames.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameReport {
    /// Frames that could not be decoded.
    pub(crate) replaced: Vec<Replaced>,
    /// By frame: whether it took the features of a frame before it.
    pub(crate) reused: Vec<bool>,
}

/// A source of a run's visual tokens.
pub(crate) trait FrameTokens {
    /// Visual tokens `[tokens, hidden]` of each of the next frames, newlines inside their spans; empty after the last.
    fn next_batch(&mut self, timings: &mut Timings) -> Result<Vec<Tensor>>;
    /// What became of the frames, so far.
    fn report(&self) -> FrameReport;
    /// After the last frame: whether their tokens were kept in the index, where that was tried.
    fn kept(&mut self) -> Option<std::result::Result<(), String>> {
        None
    }
}
