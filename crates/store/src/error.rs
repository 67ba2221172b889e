use std::path::{Path, PathBuf};

/// What can go wrong with a store. Each is one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refuses.
    #[error("{}: cannot {what}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that is not what was written.
    #[error("{}: damaged ({why})", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// More than the limit on its own.
    #[error(
        "an index entry of up to {bytes} bytes is more than the index may hold ({limit_bytes} bytes; see --index-size)"
    )]
    TooLarge {
        /// Bytes of the entry.
        bytes: u64,
        /// Bytes that all entries may have together.
        limit_bytes: u64,
    },
    /// The caller stopped waiting.
    #[error("stopped while waiting for another process")]
    Stopped,
}

impl StoreError {
    /// For `map_err`.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.into() }
    }
}
