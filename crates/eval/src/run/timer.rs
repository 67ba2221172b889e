//! When the first piece of an answer came.

use crate::run::Watch;
use longsight_engine::{Observer, Stage};
use std::time::Instant;

/// Passes a run on to a watcher, and notes when the first piece of the answer came.
pub(crate) struct FirstToken<'a> {
    inner: &'a mut dyn Watch,
    started: Instant,
    first: Option<Instant>,
}

impl<'a> FirstToken<'a> {
    pub(crate) fn begin(inner: &'a mut dyn Watch) -> Self {
        Self::since(Instant::now(), inner)
    }

    /// Counts from `started`.
    pub(crate) fn since(started: Instant, inner: &'a mut dyn Watch) -> Self {
        Self { inner, started, first: None }
    }

    /// Seconds to the first piece of text, or until now where the answer was empty.
    pub(crate) fn first_secs(&self) -> f64 {
        self.first.unwrap_or_else(Instant::now).duration_since(self.started).as_secs_f64()
    }
}

impl Observer for FirstToken<'_> {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) {
        self.inner.progress(stage, done, total);
    }

    fn text(&mut self, piece: &str) {
        self.first.get_or_insert_with(Instant::now);
        self.inner.text(piece);
    }

    fn stop(&mut self) -> bool {
        self.inner.stop()
    }
}
