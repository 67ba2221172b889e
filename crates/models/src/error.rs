use std::path::PathBuf;

/// What can go wrong between a checkpoint folder and a forward pass. Every message is one line with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the checkpoint cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// The config describes a model that is not supported.
    #[error("{}: {message}", path.display())]
    Config {
        /// The config file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A tensor that the model needs is not in the checkpoint.
    #[error("{}: tensor `{name}` is missing (needed with shape {shape:?}); is the checkpoint complete?", folder.display())]
    MissingTensor {
        /// The checkpoint folder.
        folder: PathBuf,
        /// The tensor, as it would be spelt on disk.
        name: String,
        /// Its expected shape.
        shape: Vec<usize>,
    },
    /// A tensor has another shape than the config says.
    #[error("{}: tensor `{name}` has shape {found:?}, the config asks for {expected:?}", folder.display())]
    TensorShape {
        /// The checkpoint folder.
        folder: PathBuf,
        /// The tensor, as spelt on disk.
        name: String,
        /// Shape that the config implies.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// Tensors that no part of the model uses: the config does not describe this checkpoint.
    #[error("{}: {count} tensor(s) that the config has no place for: {names}; does config.json belong to these weights?", folder.display())]
    UnusedTensors {
        /// The checkpoint folder.
        folder: PathBuf,
        /// How many.
        count: usize,
        /// The first few names.
        names: String,
    },
    /// Tokenizer or chat template trouble.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// An argument that does not fit this model.
    #[error("{0}")]
    Argument(String),
    /// The key/value cache is full.
    #[error(
        "the KV cache holds {capacity} tokens and {needed} are needed: ask for more room (--max-context) or start a new conversation"
    )]
    CacheFull {
        /// Allocated tokens.
        capacity: usize,
        /// Tokens that would be held.
        needed: usize,
    },
    /// A tensor operation failed (out of memory, or a bug: please report it).
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A plan of the method crate could not be made.
    #[error(transparent)]
    Method(#[from] longsight_method::MethodError),
}
