//! What a caller can watch while an answer is made.

/// A stage with a known amount of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Frames decoded, encoded and fed to the language model.
    Frames,
    /// Prompt tokens behind the video.
    Prompt,
}

/// Watches a run; every method has an empty default.
pub trait Observer {
    /// `done` of `total` units of a stage are finished.
    fn progress(&mut self, _stage: Stage, _done: usize, _total: usize) {}
    /// Another process builds what this run needs of the index; told again and again while it does.
    fn waiting(&mut self) {}
    /// More text of the answer.
    fn text(&mut self, _piece: &str) {}
    /// Asked between steps: true stops the run with [`crate::EngineError::Stopped`].
    fn stop(&mut self) -> bool {
        false
    }
}

/// Watches nothing.
pub struct Silent;

impl Observer for Silent {}
