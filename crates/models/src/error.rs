use std::fmt::Display;
use std::path::PathBuf;

/// Text that may come from a hostile file, fit for one line of a terminal.
fn line(text: impl Display) -> String {
    longsight_text::sentence(&text.to_string())
}

/// A path or a name.
fn shown(text: &(impl AsRef<std::ffi::OsStr> + ?Sized)) -> String {
    longsight_text::shown(&text.as_ref().to_string_lossy())
}

/// candle appends a backtrace where RUST_BACKTRACE is set.
fn first_line(error: &candle_core::Error) -> String {
    line(error.to_string().lines().next().unwrap_or_default())
}

/// A shape whose first dimension is 0 stands for any number of rows.
fn wanted(shape: &[usize]) -> String {
    match shape {
        [0, columns] => format!("[vocabulary, {columns}]"),
        _ => format!("{shape:?}"),
    }
}

/// What can go wrong between a checkpoint folder and a forward pass. Every message is one line with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the checkpoint cannot be read.
    #[error("{}: {source}", shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A small file of the checkpoint cannot be read.
    #[error(transparent)]
    Text(#[from] longsight_text::TextError),
    /// A file is not what its name says.
    #[error("{}: {}", shown(path), line(message))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// The config describes a model that is not supported.
    #[error("{}: {}", shown(path), line(message))]
    Config {
        /// The config file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A tensor that the model needs is not in the checkpoint.
    #[error(
        "{}: tensor `{}` is missing (needed with shape {}); is the checkpoint complete?",
        shown(folder),
        shown(name),
        wanted(shape)
    )]
    MissingTensor {
        /// The checkpoint folder.
        folder: PathBuf,
        /// The tensor, as it would be spelt on disk.
        name: String,
        /// Its expected shape.
        shape: Vec<usize>,
    },
    /// A tensor has another shape than the config says.
    #[error("{}: tensor `{}` has shape {}, the config asks for {}", shown(folder), shown(name), line(format!("{found:?}")), wanted(expected))]
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
    #[error(
        "{}: {count} tensor(s) that the config has no place for: {}; does config.json belong to these weights?",
        shown(folder),
        line(names)
    )]
    UnusedTensors {
        /// The checkpoint folder.
        folder: PathBuf,
        /// How many.
        count: usize,
        /// The first few names.
        names: String,
    },
    /// Tokenizer or chat template trouble.
    #[error("tokenizer: {}", line(.0))]
    Tokenizer(String),
    /// An argument that does not fit this model.
    #[error("{}", line(.0))]
    Argument(String),
    /// The key/value cache is full.
    #[error(
        "the KV cache holds {capacity} tokens and {needed} are needed: start a new conversation, or leave more room (--chat-tokens)"
    )]
    CacheFull {
        /// Allocated tokens.
        capacity: usize,
        /// Tokens that would be held.
        needed: usize,
    },
    /// Whoever heard of the progress stopped it.
    #[error("stopped; nothing was written")]
    Stopped,
    /// Logits are not numbers.
    #[error(
        "the model's logits are not finite numbers: are its weights whole? Download the checkpoint again, or try --dtype f32"
    )]
    NotFinite,
    /// A tensor operation failed (out of memory, or a bug: please report it).
    #[error("tensor operation failed: {}", first_line(.0))]
    Tensor(#[from] candle_core::Error),
    /// A plan of the method crate could not be made.
    #[error(transparent)]
    Method(#[from] longsight_method::MethodError),
}
