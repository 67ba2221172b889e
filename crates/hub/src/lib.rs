//! A model's name, or a folder, becomes a folder with the checkpoint's files.
//!
//! A folder is used as it is, and so is the small model inside the program (`built_in.rs`). A Hugging Face name
//! (`org/name`, `org/name@revision`) is looked up at the hub; the files
//! that a checkpoint needs are downloaded (resumable, checked) into the cache that huggingface_hub uses too, in the
//! same layout and under the same locks, so that both share one copy. Without a network a complete cached copy is used.
//!
//! The client is our own, on `ureq`: hf-hub 1.0 does not read HF_HUB_OFFLINE and brings an async runtime.
//!
//! Reading order: [`resolve`] here, then `hub.rs` (which files, in which order), `client.rs` (HTTP, redirects, token; `agent.rs`, `retry.rs`),
//! `download.rs` (one blob), `cache.rs` (layout), `files.rs` and `name.rs` (what a name may be).

mod agent;
mod built_in;
mod cache;
mod client;
mod download;
mod error;
mod expand;
mod files;
mod hub;
mod name;
mod progress;
mod retry;
mod settings;

use std::path::{Path, PathBuf};

pub use built_in::BUILT_IN;
pub use error::HubError;
pub use progress::{DownloadProgress, NoProgress};
pub use settings::{HubSettings, Patience};

/// What holds a checkpoint: a folder with `config.json`, tokenizer and processor files and safetensors weights; or a GGUF
/// file, or a folder with nothing else, which is a language model alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFolder {
    /// The folder, or the GGUF file.
    pub path: PathBuf,
    /// Where it came from.
    pub source: ModelSource,
}

/// Where a [`ModelFolder`] came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The caller's own.
    Local,
    /// The small model inside the program.
    BuiltIn,
    /// The hub.
    Hub {
        /// `org/name`.
        repo: String,
        /// Branch, tag or commit asked for.
        revision: String,
        /// Commit that it stands for.
        commit: String,
        /// Taken from the cache without asking the hub: offline, or the hub could not be reached.
        from_cache: bool,
    },
}

/// Finds the folder of `model`: [`BUILT_IN`], an existing folder or GGUF file, or `org/name[@revision]` at the hub.
///
/// An existing folder wins over a hub name of the same spelling; the built-in name always means the built-in model.
///
/// # Errors
/// [`HubError`], each of one line: a name that is neither, a refused or missing model, no network and no complete
/// copy in the cache, a full disk, a download that does not match its checksum, an unusable answer.
pub fn resolve(
    model: &str,
    settings: &HubSettings,
    progress: &dyn DownloadProgress,
) -> Result<ModelFolder, HubError> {
    if model == BUILT_IN {
        let path = built_in::unpack(&settings.own_cache_dir)?;
        return Ok(ModelFolder { path, source: ModelSource::BuiltIn });
    }
    let path = Path::new(model);
    if path.is_dir() {
        return local_folder(path);
    }
    if path.is_file() && is_gguf(path) {
        return Ok(ModelFolder { path: path.to_owned(), source: ModelSource::Local });
    }
    if path.exists() {
        return Err(HubError::NotAFolder { path: path.to_owned() });
    }
    let repo = name::RepoName::parse(model, &settings.revision)?;
    hub::resolve(repo, settings, progress)
}

/// A language model alone, whose configuration and tokenizer are in the file.
fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gguf")
}

fn local_folder(path: &Path) -> Result<ModelFolder, HubError> {
    let holds_gguf =
        || path.read_dir().is_ok_and(|entries| entries.flatten().any(|entry| is_gguf(&entry.path())));
    if !path.join("config.json").is_file() && !holds_gguf() {
        return Err(HubError::NoConfig { path: path.to_owned() });
    }
    Ok(ModelFolder { path: path.to_owned(), source: ModelSource::Local })
}
