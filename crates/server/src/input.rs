//! What a question is about: an upload, bytes in the request, or an address that the operator allows.

use crate::error::{ApiError, ApiResult};
use crate::fetch;
use crate::state::App;
use crate::wire::Visual;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longsight_engine::{Receipt, WarningKind};
use longsight_video::{PictureFormat, VideoSource};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};

/// A video or images on the server's disk, with the name that clients know.
pub(crate) struct Input {
    pub(crate) source: VideoSource,
    /// What stands for the file in messages and receipts.
    name: String,
    is_upload: bool,
    /// Removed when the question is done.
    _files: Option<TemporaryFiles>,
}

enum TemporaryFiles {
    One(#[allow(dead_code, reason = "held until it is dropped")] NamedTempFile),
    Folder(#[allow(dead_code, reason = "held until it is dropped")] TempDir),
}

impl Input {
    /// Brings what a request shows to the disk. Blocks while it fetches and writes.
    pub(crate) fn new(app: &App, visual: &Visual) -> ApiResult<Self> {
        match visual {
            Visual::Video(url) => Self::video(app, url),
            Visual::Images(urls) => Self::images(app, urls),
        }
    }

    /// An upload by its id.
    pub(crate) fn upload(app: &App, id: &str) -> ApiResult<Self> {
        let path = app.uploads.path(id)?;
        Ok(Self { source: VideoSource::File(path), name: id.to_owned(), is_upload: true, _files: None })
    }

    fn video(app: &App, url: &str) -> ApiResult<Self> {
        if url.starts_with("file-") {
            return Self::upload(app, url);
        }
        let mut file = NamedTempFile::new_in(app.uploads.scratch()).map_err(ApiError::internal)?;
        bring(app, url, "video_url", app.settings.limits.upload_bytes, &mut file)?;
        let path = file.path().to_owned();
        Ok(Self {
            source: VideoSource::File(path),
            name: "the video of the request".into(),
            is_upload: false,
            _files: Some(TemporaryFiles::One(file)),
        })
    }

    fn images(app: &App, urls: &[String]) -> ApiResult<Self> {
        app.check_frames(urls.len())?;
        let folder = TempDir::new_in(app.uploads.scratch()).map_err(ApiError::internal)?;
        for (i, url) in urls.iter().enumerate() {
            let bytes = match app.uploads.path(url) {
                Ok(path) => std::fs::read(path).map_err(ApiError::internal)?,
                Err(_) => {
                    let mut bytes = Vec::new();
                    bring(app, url, "image_url", app.settings.limits.body_bytes as u64, &mut bytes)?;
                    bytes
                }
            };
            // By its first bytes, so that no name from outside reaches the disk.
            let Some(format) = PictureFormat::of(&bytes) else {
                let known = PictureFormat::EXTENSIONS.join(", ");
                return Err(ApiError::bad(format!("image {i} is not a picture ({known})")).param("messages"));
            };
            let path = folder.path().join(format!("{i:06}.{}", format.extension()));
            std::fs::write(path, bytes).map_err(ApiError::internal)?;
        }
        Ok(Self {
            source: VideoSource::Images(folder.path().to_owned()),
            name: "the images of the request".into(),
            is_upload: false,
            _files: Some(TemporaryFiles::Folder(folder)),
        })
    }

    /// The id, where it is an upload.
    pub(crate) fn upload_id(&self) -> Option<&str> {
        self.is_upload.then_some(self.name.as_str())
    }

    /// An error without the file's place on the disk.
    pub(crate) fn hide(&self, error: ApiError) -> ApiError {
        error.hiding(&self.source.name(), &self.name)
    }

    /// A receipt without places on the disk.
    pub(crate) fn hide_in(&self, receipt: &mut Receipt) {
        let place = self.source.name();
        receipt.video.source = self.name.clone();
        for warning in &mut receipt.warnings {
            if warning.kind == WarningKind::Index {
                tracing::warn!(%warning);
                warning.text = "not used in full; the server's log says why".into();
            }
            warning.text = std::mem::take(&mut warning.text).replacing(&place, &self.name);
        }
    }
}

/// Writes the bytes of a `data:` URL, or of an address that is allowed, to `out`.
fn bring(app: &App, url: &str, param: &str, limit_bytes: u64, out: &mut impl Write) -> ApiResult<()> {
    let bad = |message: String| ApiError::bad(message).param(param);
    if let Some(data) = url.strip_prefix("data:") {
        let Some((_, text)) = data.split_once(";base64,") else {
            return Err(bad("a data: URL must be base64: data:TYPE;base64,...".into()));
        };
        let bytes = STANDARD.decode(text.trim());
        let bytes = bytes.map_err(|e| bad(format!("the data: URL is not base64: {e}")))?;
        return out.write_all(&bytes).map_err(ApiError::internal);
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        return fetch::fetch(url, &app.settings.allowed_hosts, limit_bytes, out)
            .map_err(|message| bad(message).code("url"));
    }
    Err(bad("give a file id (file-...), a data: URL, or an http(s) address".into()))
}

/// A folder for files of single requests, emptied: what lies there is of a server that was killed.
pub(crate) fn empty_folder(path: &Path) -> std::io::Result<PathBuf> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => (),
    }
    std::fs::create_dir_all(path)?;
    Ok(path.to_owned())
}
