//! What can go wrong, each with what to do about it.

use longsight_text::{escaped, sentence, shown};
use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file or folder cannot be used.
    #[error("{}: {}", shown(&path.to_string_lossy()), escaped(message))]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A small file cannot be read.
    #[error(transparent)]
    Text(#[from] longsight_text::TextError),
    /// An annotation row lacks something or has the wrong type.
    #[error("{}: row {row}: {}", shown(&path.to_string_lossy()), sentence(message))]
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
