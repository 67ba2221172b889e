//! What can go wrong, each with what to do about it.

use std::path::{Path, PathBuf};

/// Errors of this crate. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// Settings that cannot be meant.
    #[error("{0}")]
    Setting(String),
    /// A file or folder cannot be used.
    #[error("{path}: {message}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// ffmpeg cannot be started, or failed.
    #[error("ffmpeg, {doing}: {message}")]
    Ffmpeg {
        /// What it was to do.
        doing: String,
        /// Its own words, or the system's.
        message: String,
    },
}

/// Result with this crate's error.
pub type Result<T, E = WorldError> = std::result::Result<T, E>;

impl WorldError {
    pub(crate) fn setting(message: impl Into<String>) -> Self {
        Self::Setting(message.into())
    }

    pub(crate) fn file(path: &Path, message: impl ToString) -> Self {
        Self::File { path: path.to_owned(), message: message.to_string() }
    }

    pub(crate) fn ffmpeg(doing: impl Into<String>, message: impl ToString) -> Self {
        Self::Ffmpeg { doing: doing.into(), message: message.to_string() }
    }
}
