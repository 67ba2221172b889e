//! A run's visual tokens, wherever they come from, and what became of the frames.

use crate::Result;
use crate::timings::Timings;
use longsight_models::Tensor;

/// A frame that could not be decoded, or not be trusted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Damaged {
    /// Place among the sampled frames.
    pub(crate) ordinal: usize,
    /// Index of the frame whose pixels are shown: one near by, or its own where nothing better is near.
    pub(crate) shown_index: usize,
}

/// What became of the frames.
#[derive(Debug, Clone, Default)]
pub(crate) struct FrameReport {
    /// Those that are damaged.
    pub(crate) damaged: Vec<Damaged>,
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
