//! What can go wrong.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be written.
    #[error("{path}: {message}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A picture that cannot be drawn.
    #[error("{0}")]
    Picture(String),
}

/// Result with this crate's error.
pub type Result<T, E = ReportError> = std::result::Result<T, E>;
