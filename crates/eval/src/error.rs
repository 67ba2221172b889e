//! What can go wrong, each with what to do about it.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file or folder cannot be used.
    #[error("{path}: {message}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// An annotation row lacks something or has the wrong type.
    #[error("{path}: row {row}: {message}", path = path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// From 0.
        row: usize,
        /// Key and what is wrong with it.
        message: String,
    },
    /// Settings that are invalid.
    #[error("{0}")]
    Setting(String),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] longsight_engine::EngineError),
    /// A table or picture that cannot be written.
    #[error(transparent)]
    Report(#[from] longsight_report::ReportError),
}

/// Result with this crate's error.
pub type Result<T, E = EvalError> = std::result::Result<T, E>;
