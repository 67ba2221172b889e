//! Everything that can go wrong between a model's name and its folder, each as one line.

use longsight_text::shown;
use std::io;
use std::path::{Path, PathBuf};

/// Why a model could not be resolved. Each message is one line that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Not an existing folder and not `org/name[@revision]`.
    #[error(
        "'{}' is neither a folder nor a hub name: give the path of a checkpoint folder, org/name, or tiny",
        shown(model)
    )]
    NotAModelName {
        /// What was given.
        model: String,
    },
    /// A path that exists and is not a folder.
    #[error("{} is not a folder: give the folder that holds config.json and the weights, or a .gguf file", path.display())]
    NotAFolder {
        /// What was given.
        path: PathBuf,
    },
    /// A local folder that holds no checkpoint.
    #[error("{} holds no config.json: give a folder with a checkpoint (config.json, tokenizer, *.safetensors)", path.display())]
    NoConfig {
        /// The folder.
        path: PathBuf,
    },
    /// 401.
    #[error("{repo}: the hub asks for {} (401): check the spelling of the name; for a private or gated model set HF_TOKEN \
             to a token of your account", if *had_token { "another token" } else { "a token" })]
    Unauthorized {
        /// `org/name`.
        repo: String,
        /// Whether a token was sent.
        had_token: bool,
    },
    /// 403, or a model that the hub says is gated.
    #[error(
        "{repo}: the hub refuses access (a gated model, or a token without the right to read it): accept the \
             licence at {page} and set HF_TOKEN to a token of that account"
    )]
    Forbidden {
        /// `org/name`.
        repo: String,
        /// The model's page.
        page: String,
    },
    /// 404 for the model or the revision.
    #[error(
        "{repo}: no such model, or no revision '{revision}', at {endpoint} (404): check the spelling; a private model \
             needs HF_TOKEN"
    )]
    NotFound {
        /// `org/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// The hub asked.
        endpoint: String,
    },
    /// The repository has no file that a checkpoint must have.
    #[error(
        "{repo}: the repository has no {file}: only models with config.json and safetensors weights can be used"
    )]
    MissingFile {
        /// `org/name`.
        repo: String,
        /// What is missing.
        file: String,
    },
    /// No network wanted and the cache is not enough.
    #[error("{repo}: offline, and the cache {} lacks {missing}: run once with a network and without HF_HUB_OFFLINE, or copy \
             the checkpoint to a folder and give its path", cache_dir.display())]
    Offline {
        /// `org/name`.
        repo: String,
        /// What is missing.
        missing: String,
        /// The cache that was looked into.
        cache_dir: PathBuf,
    },
    /// No connection to the hub (or it is down), and the cache is not enough.
    #[error("{repo}: {cause}, and the cache {} lacks {missing}: check the network, the proxy variables and HF_ENDPOINT, \
             then run again", cache_dir.display())]
    UnreachableAndNotCached {
        /// `org/name`.
        repo: String,
        /// What the connection said.
        cause: String,
        /// What is missing.
        missing: String,
        /// The cache that was looked into.
        cache_dir: PathBuf,
    },
    /// The connection failed, again and again where trying again makes sense.
    #[error(
        "no connection to {host}: {cause}; check the network and run again (a partly downloaded file is resumed)"
    )]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the connection said.
        cause: String,
    },
    /// A download broke off, again and again.
    #[error("{file}: the download breaks off ({problem}): run again, what is here is resumed")]
    Broken {
        /// File name.
        file: String,
        /// How it broke.
        problem: String,
    },
    /// A status that names no remedy, after retries where they make sense.
    #[error("{host} answered with status {status} for {what}: try again later")]
    Server {
        /// Host and port.
        host: String,
        /// HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
    },
    /// An answer that cannot be understood.
    #[error("unusable answer from {host} for {what}: {problem}; check HF_ENDPOINT and the proxy variables")]
    BadAnswer {
        /// Host and port.
        host: String,
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server names a file that would leave the cache folder.
    #[error("{repo}: unsafe file name `{}`, nothing was written: do not use this repository", shown(name))]
    UnsafeFileName {
        /// `org/name`.
        repo: String,
        /// The name, as sent.
        name: String,
    },
    /// The bytes are not those that the hub promises.
    #[error(
        "{file}: the download does not match the hub's {measure} (expected {expected}, got {found}) and was removed: \
             run again"
    )]
    Mismatch {
        /// File name.
        file: String,
        /// `size` or `sha256`.
        measure: &'static str,
        /// Promised.
        expected: String,
        /// Received.
        found: String,
    },
    /// Not enough room for the files.
    #[error("disk full at {}: {} needed{}: free space or set HF_HOME to a larger disk; what is here is resumed",
            folder.display(), bytes_or_unknown(needed_bytes), free_bytes.map(|b| format!(", {} free", bytes(b))).unwrap_or_default())]
    DiskFull {
        /// Folder on the full disk.
        folder: PathBuf,
        /// Bytes still to come (and a little to spare), where known.
        needed_bytes: Option<u64>,
        /// Bytes free, where known.
        free_bytes: Option<u64>,
    },
    /// Any other trouble with files.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `create` ...
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting that cannot be used.
    #[error("{setting} cannot be used: {problem}")]
    BadSetting {
        /// Variable's name.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl HubError {
    /// Maps trouble with a file, keeping a full disk apart.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            let folder = path.parent().unwrap_or(path).to_owned();
            let free_bytes = fs4::available_space(&folder).ok();
            return Self::DiskFull { folder, needed_bytes: None, free_bytes };
        }
        Self::Io { action, path: path.to_owned(), source }
    }
}

fn bytes_or_unknown(count: &Option<u64>) -> String {
    count.map_or_else(|| "more space".to_owned(), bytes)
}

fn bytes(count: u64) -> String {
    const MIB: u64 = 1 << 20;
    match count {
        0..MIB => format!("{count} bytes"),
        MIB..0x4000_0000 => format!("{:.1} MiB", count as f64 / MIB as f64),
        _ => format!("{:.1} GiB", count as f64 / (1024 * MIB) as f64),
    }
}
