//! What a question is about: an upload, bytes in the request, or an address that the operator allows.

use crate::blocking::Left;
use crate::data_url::{DataError, DataUrl, is_data_url};
use crate::error::{ApiError, ApiResult};
use crate::fetch::{FetchError, fetch};
use crate::state::App;
use crate::storage::{Room, ScratchFile};
use crate::wire::Visual;
use longsight_engine::{Receipt, WarningKind};
use longsight_video::{PictureFormat, VideoSource};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

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
    One(#[allow(dead_code, reason = "held until it is dropped")] ScratchFile),
    Folder(#[allow(dead_code, reason = "held until it is dropped")] Pictures),
}

impl Input {
    /// Brings what a request shows to the disk. Blocks while it fetches and writes; ends where its client left.
    pub(crate) fn new(app: &App, visual: &Visual, left: &Left) -> ApiResult<Self> {
        match visual {
            Visual::Video(url) if url.starts_with("file-") => Self::upload(app, url),
            Visual::Video(url) => match DataUrl::parse(url).and_then(DataUrl::frames) {
                Some(frames) => Self::frames(app, frames.collect()),
                None => Self::video(app, url, left),
            },
            Visual::Images(urls) => Self::images(app, urls, left),
        }
    }

    /// An upload by its id.
    pub(crate) fn upload(app: &App, id: &str) -> ApiResult<Self> {
        let path = app.uploads.path(id)?;
        Ok(Self { source: VideoSource::File(path), name: id.to_owned(), is_upload: true, _files: None })
    }

    fn video(app: &App, url: &str, left: &Left) -> ApiResult<Self> {
        let mut file = app.uploads.scratch_file()?;
        bring(app, url, "video_url", app.settings.limits.upload_bytes, left, &mut file)?;
        let path = file.file.path().to_owned();
        Ok(Self {
            source: VideoSource::File(path),
            name: "the video of the request".into(),
            is_upload: false,
            _files: Some(TemporaryFiles::One(file)),
        })
    }

    /// Frames that were sampled already.
    fn frames(app: &App, frames: Vec<DataUrl<'_>>) -> ApiResult<Self> {
        app.check_frames(frames.len())?;
        let mut pictures = Pictures::new(app)?;
        for frame in frames {
            pictures.add(|out| frame.write(out).map_err(|e| not_written(e, "video_url")))?;
        }
        Ok(pictures.into_input("the frames of the request"))
    }

    fn images(app: &App, urls: &[String], left: &Left) -> ApiResult<Self> {
        app.check_frames(urls.len())?;
        let limit_bytes = app.settings.limits.body_bytes as u64;
        let mut pictures = Pictures::new(app)?;
        let mut known = HashMap::<&str, PathBuf>::new();
        for url in urls {
            let known_path = known.get(url.as_str()).cloned();
            let path = match known_path.or_else(|| app.uploads.path(url).ok()) {
                Some(path) => pictures.add_again(&path)?,
                None => pictures.add(|out| bring(app, url, "image_url", limit_bytes, left, out))?,
            };
            known.insert(url, path);
        }
        Ok(pictures.into_input("the images of the request"))
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

/// A folder of pictures, which are the frames in the order in which they were added.
struct Pictures {
    folder: TempDir,
    room: Room,
    count: usize,
}

impl Pictures {
    fn new(app: &App) -> ApiResult<Self> {
        let folder = TempDir::new_in(app.uploads.scratch()).map_err(ApiError::io)?;
        Ok(Self { folder, room: app.uploads.room(), count: 0 })
    }

    /// Adds the picture that `write` brings, and returns its place.
    fn add(&mut self, write: impl FnOnce(&mut dyn Write) -> ApiResult<()>) -> ApiResult<PathBuf> {
        let path = self.folder.path().join("new");
        let file = File::create(&path).map_err(ApiError::io)?;
        write(&mut self.room.writing(file))?;
        let named = self.next_path(&path)?;
        std::fs::rename(&path, &named).map_err(ApiError::io)?;
        Ok(named)
    }

    /// Adds a picture that is on the disk already, without a copy where the disk can do so.
    fn add_again(&mut self, path: &Path) -> ApiResult<PathBuf> {
        let named = self.next_path(path)?;
        if std::fs::hard_link(path, &named).is_err() {
            let mut from = File::open(path).map_err(ApiError::io)?;
            let to = File::create(&named).map_err(ApiError::io)?;
            std::io::copy(&mut from, &mut self.room.writing(to)).map_err(ApiError::io)?;
        }
        Ok(named)
    }

    /// Where the picture in `path` goes, by its kind.
    fn next_path(&mut self, path: &Path) -> ApiResult<PathBuf> {
        let mut first = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(PictureFormat::HEAD_BYTES).read_to_end(&mut first));
        read.map_err(ApiError::io)?;
        let i = self.count;
        // By its first bytes, so that no name from outside reaches the disk.
        let Some(format) = PictureFormat::of(&first) else {
            let known = PictureFormat::EXTENSIONS.join(", ");
            return Err(ApiError::bad(format!("image {i} is not a picture ({known})")).param("messages"));
        };
        self.count += 1;
        Ok(self.folder.path().join(format!("{i:06}.{}", format.extension())))
    }

    fn into_input(self, name: &str) -> Input {
        Input {
            source: VideoSource::Images(self.folder.path().to_owned()),
            name: name.into(),
            is_upload: false,
            _files: Some(TemporaryFiles::Folder(self)),
        }
    }
}

/// Writes the bytes of a `data:` URL, or of an address that is allowed, to `out`.
fn bring(
    app: &App,
    url: &str,
    param: &str,
    limit_bytes: u64,
    left: &Left,
    mut out: &mut dyn Write,
) -> ApiResult<()> {
    let bad = |message: String| ApiError::bad(message).param(param);
    if is_data_url(url) {
        let data = DataUrl::parse(url);
        let data = data.ok_or_else(|| bad("a data: URL must be base64: data:TYPE;base64,...".into()))?;
        return data.write(&mut out).map_err(|e| not_written(e, param));
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        let fetched = fetch(url, &app.settings.allowed_hosts, limit_bytes, left, &mut out);
        return fetched.map_err(|error| match error {
            FetchError::Io(error) => ApiError::io(error),
            FetchError::Refused(message) => bad(message).code("url"),
        });
    }
    Err(bad("give a file id (file-...), a data: URL, or an http(s) address".into()))
}

fn not_written(error: DataError, param: &str) -> ApiError {
    match error {
        DataError::NotBase64 => ApiError::bad("the data: URL is not base64").param(param),
        DataError::Io(error) => ApiError::io(error),
    }
}
