//! Files that clients sent once and ask about by id. Each is a file with a name that we gave it and a JSON beside it; an
//! unfinished upload ends in `.part` and can be gone on with, also after a restart, until it has been left alone for too long.

use crate::error::{ApiError, ApiResult};
use crate::input::empty_folder;
use crate::state::unix_secs;
use crate::{Limits, ServeError};
use axum::http::StatusCode;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The folder of uploads.
pub(crate) struct Uploads {
    folder: PathBuf,
    scratch: PathBuf,
    upload_bytes: u64,
    storage_bytes: u64,
    /// How long an unfinished upload is kept after its last byte.
    unfinished: Duration,
    /// Held while the folder's files are counted, reserved, renamed or swept.
    folder_lock: Mutex<()>,
}

/// What is known of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FileInfo {
    pub(crate) id: String,
    pub(crate) bytes: u64,
    pub(crate) filename: String,
    pub(crate) created_at: u64,
    pub(crate) purpose: String,
}

const FILE: &str = "file-";
const UPLOAD: &str = "upload-";
/// Hexadecimal digits of an id: 96 random bits.
const ID_DIGITS: usize = 24;
/// The longest name that is kept.
const MAX_NAME: usize = 255;

impl Uploads {
    pub(crate) fn open(folder: &Path, limits: &Limits) -> Result<Self, ServeError> {
        let refuse = |source| ServeError::File { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(refuse)?;
        Ok(Self {
            folder: folder.to_owned(),
            scratch: empty_folder(&folder.join("scratch")).map_err(refuse)?,
            upload_bytes: limits.upload_bytes,
            storage_bytes: limits.storage_bytes,
            unfinished: Duration::from_secs(limits.unfinished_secs),
            folder_lock: Mutex::default(),
        })
    }

    /// For files of single requests.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Begins an upload of `bytes`.
    pub(crate) fn begin(&self, filename: &str, bytes: u64, purpose: &str) -> ApiResult<FileInfo> {
        if bytes == 0 {
            return Err(ApiError::bad("an empty file is no video").param("bytes"));
        }
        if bytes > self.upload_bytes {
            let message = format!("{bytes} bytes are more than the {} of an upload", self.upload_bytes);
            return Err(ApiError::too_large(message).param("bytes"));
        }
        self.sweep().map_err(ApiError::internal)?;
        let _alone = self.folder_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let held: u64 = self.infos()?.iter().map(|(info, _)| info.bytes).sum();
        if held.saturating_add(bytes) > self.storage_bytes {
            let message = "the server's storage is full; delete files that are not needed";
            return Err(ApiError::new(StatusCode::INSUFFICIENT_STORAGE, message));
        }
        let mut random = [0; ID_DIGITS / 2];
        rand::rng().fill_bytes(&mut random);
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let info = FileInfo {
            id: format!("{UPLOAD}{digits}"),
            bytes,
            filename: filename.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect(),
            created_at: unix_secs(),
            purpose: purpose.chars().take(MAX_NAME).collect(),
        };
        File::create_new(self.part(&digits)).map_err(ApiError::internal)?;
        write_json(&self.folder.join(format!("{digits}.part.json")), &info)?;
        Ok(info)
    }

    /// An upload, and how many of its bytes are there.
    pub(crate) fn progress(&self, id: &str) -> ApiResult<(FileInfo, u64)> {
        let digits = digits(id, UPLOAD)?;
        let info = read_json(&self.folder.join(format!("{digits}.part.json"))).ok_or_else(|| missing(id))?;
        let received = std::fs::metadata(self.part(digits)).map_err(|_| missing(id))?.len();
        Ok((info, received))
    }

    /// A file to append to an upload with, positioned behind what is there. `offset` must be just that.
    pub(crate) fn appender(&self, id: &str, offset: u64) -> ApiResult<(File, FileInfo)> {
        let (info, received) = self.progress(id)?;
        let path = self.part(digits(id, UPLOAD)?);
        let mut file = OpenOptions::new().write(true).open(path).map_err(ApiError::internal)?;
        // One writer: a second one would interleave its bytes.
        if file.try_lock().is_err() {
            return Err(
                ApiError::new(StatusCode::CONFLICT, "another request is sending this upload").param("offset")
            );
        }
        if offset != received {
            let message = format!("the server has {received} bytes of this upload; go on from there");
            return Err(ApiError::new(StatusCode::CONFLICT, message).param("offset").code("wrong_offset"));
        }
        file.seek(SeekFrom::Start(offset)).map_err(ApiError::internal)?;
        Ok((file, info))
    }

    /// Makes an upload whose bytes are all there a file. A client that did not hear so may ask again.
    pub(crate) fn complete(&self, id: &str) -> ApiResult<FileInfo> {
        let digits = digits(id, UPLOAD)?;
        let file_id = format!("{FILE}{digits}");
        if let Ok(info) = self.info(&file_id) {
            return Ok(info);
        }
        let (info, received) = self.progress(id)?;
        if received != info.bytes {
            let message = format!("{received} of {} bytes are there; send the others first", info.bytes);
            return Err(ApiError::new(StatusCode::CONFLICT, message).code("incomplete"));
        }
        let info = FileInfo { id: file_id, ..info };
        // The JSON last: with it the file is there.
        File::open(self.part(digits)).and_then(|file| file.sync_all()).map_err(ApiError::internal)?;
        let _alone = self.folder_lock.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::rename(self.part(digits), self.folder.join(digits)).map_err(ApiError::internal)?;
        write_json(&self.folder.join(format!("{digits}.json")), &info)?;
        let _ = std::fs::remove_file(self.folder.join(format!("{digits}.part.json"))); // of no meaning any more
        Ok(info)
    }

    /// Makes an upload the bytes of a file that lies on the same disk.
    pub(crate) fn adopt(&self, id: &str, file: tempfile::NamedTempFile) -> ApiResult<FileInfo> {
        file.persist(self.part(digits(id, UPLOAD)?)).map_err(ApiError::internal)?;
        self.complete(id)
    }

    /// Removes an upload that is not finished.
    pub(crate) fn cancel(&self, id: &str) -> ApiResult<()> {
        self.progress(id)?;
        let digits = digits(id, UPLOAD)?;
        std::fs::remove_file(self.part(digits)).map_err(ApiError::internal)?;
        std::fs::remove_file(self.folder.join(format!("{digits}.part.json"))).map_err(ApiError::internal)
    }

    /// A file.
    pub(crate) fn info(&self, id: &str) -> ApiResult<FileInfo> {
        let digits = digits(id, FILE)?;
        read_json(&self.folder.join(format!("{digits}.json"))).ok_or_else(|| missing(id))
    }

    /// Its place on the disk.
    pub(crate) fn path(&self, id: &str) -> ApiResult<PathBuf> {
        self.info(id)?;
        Ok(self.folder.join(digits(id, FILE)?))
    }

    /// All files, the newest first.
    pub(crate) fn list(&self) -> ApiResult<Vec<FileInfo>> {
        let whole = self.infos()?.into_iter().filter(|(_, whole)| *whole).map(|(info, _)| info);
        let mut files: Vec<FileInfo> = whole.collect();
        files.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        Ok(files)
    }

    /// Removes a file. A question at work on it keeps what it has open.
    pub(crate) fn remove(&self, id: &str) -> ApiResult<()> {
        let path = self.path(id)?;
        // The JSON first: without it the file is not there.
        std::fs::remove_file(path.with_extension("json")).map_err(ApiError::internal)?;
        std::fs::remove_file(path).map_err(ApiError::internal)
    }

    /// Files and unfinished uploads; which are whole.
    fn infos(&self) -> ApiResult<Vec<(FileInfo, bool)>> {
        let entries = std::fs::read_dir(&self.folder).map_err(ApiError::internal)?;
        let info = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            let whole = name.ends_with(".json") && !name.ends_with(".part.json");
            name.ends_with(".json").then(|| read_json(&path)).flatten().map(|info| (info, whole))
        };
        Ok(entries.filter_map(|entry| info(entry.ok()?.path())).collect())
    }

    /// Removes what is left of uploads that nobody has gone on with for too long; also of ones that a crash cut off while
    /// they were completed. Files that are not of our naming are not touched.
    pub(crate) fn sweep(&self) -> std::io::Result<()> {
        let _alone = self.folder_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last_written: HashMap<String, SystemTime> = HashMap::new();
        for entry in std::fs::read_dir(&self.folder)?.filter_map(Result::ok) {
            let name = entry.file_name();
            let digits =
                name.to_str().and_then(|name| name.split('.').next()).filter(|digits| is_ours(digits));
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            if let (Some(digits), Ok(modified)) = (digits, modified) {
                let last = last_written.entry(digits.to_owned()).or_insert(modified);
                *last = modified.max(*last);
            }
        }
        for (digits, last) in last_written {
            let is_old = last.elapsed().is_ok_and(|age| age > self.unfinished);
            if is_old && !self.folder.join(format!("{digits}.json")).exists() && !self.is_being_sent(&digits)
            {
                for ending in ["", ".part", ".part.json"] {
                    let _ = std::fs::remove_file(self.folder.join(format!("{digits}{ending}"))); // most are not there
                }
            }
        }
        Ok(())
    }

    fn is_being_sent(&self, digits: &str) -> bool {
        OpenOptions::new().write(true).open(self.part(digits)).is_ok_and(|file| file.try_lock().is_err())
    }

    fn part(&self, digits: &str) -> PathBuf {
        self.folder.join(format!("{digits}.part"))
    }
}

/// The digits of an id that we could have given: nothing else becomes part of a path.
fn digits<'a>(id: &'a str, prefix: &str) -> ApiResult<&'a str> {
    id.strip_prefix(prefix).filter(|digits| is_ours(digits)).ok_or_else(|| missing(id))
}

fn is_ours(digits: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.len() == ID_DIGITS && digits.bytes().all(is_digit)
}

fn missing(id: &str) -> ApiError {
    let id: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
    ApiError::not_found(format!("there is no {id}")).code("not_found")
}

fn read_json(path: &Path) -> Option<FileInfo> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Whole or absent.
fn write_json(path: &Path, info: &FileInfo) -> ApiResult<()> {
    let json = serde_json::to_vec(info).map_err(ApiError::internal)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(ApiError::internal)?;
    file.write_all(&json).and_then(|()| file.as_file().sync_all()).map_err(ApiError::internal)?;
    file.persist(path).map_err(ApiError::internal)?;
    Ok(())
}
