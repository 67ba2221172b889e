use crate::{EngineError, Result};
use longsight_store::{FileDigests, StoreError};
use longsight_video::VideoSource;
use std::path::{Path, PathBuf};

/// The bytes that a run reads, by their digests (BLAKE3, hexadecimal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VideoIdentity {
    /// Of the video file, or of a folder's images with their names.
    pub(crate) video: String,
    /// Of the checkpoint's files with their names.
    pub(crate) model: String,
}

impl VideoIdentity {
    pub(super) fn read(digests: &FileDigests, source: &VideoSource, model_folder: &Path) -> Result<Self> {
        let refuse = |error: StoreError| EngineError::request(error.to_string());
        let video = match source {
            VideoSource::File(path) => digests.file(path).map_err(refuse)?,
            VideoSource::Images(folder) => folder_digest(digests, folder)?,
            VideoSource::Url(_) => {
                return Err(EngineError::request("a URL is not indexed: its contents may change"));
            }
        };
        Ok(Self { video, model: folder_digest(digests, model_folder)? })
    }
}

/// Digest of the names and digests of a folder's files, in the order of their names.
fn folder_digest(digests: &FileDigests, folder: &Path) -> Result<String> {
    let refuse = |e: std::io::Error| EngineError::request(format!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut text = String::new();
    for path in files {
        let digest = digests.file(&path).map_err(|error| EngineError::request(error.to_string()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        text.push_str(&format!("{name}\n{digest}\n"));
    }
    Ok(longsight_store::text_digest(&text))
}
