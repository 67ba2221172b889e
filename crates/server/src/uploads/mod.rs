//! Files that clients sent once and ask about by id.
//!
//! An upload is two files: its bytes, `ID.part` until they are all there and `ID` from then on, and what is known of it,
//! `ID.json`, written once, before any byte. So the one step that makes an upload a file is a rename: a crash or a full disk
//! leaves it as it was before, or as it is after. `Uploads::state` reads every state; nothing else decides what there is.

mod folder;

use crate::echo::escaped;
use crate::error::{ApiError, ApiResult};
use crate::state::unix_secs;
use crate::storage::{Room, ScratchFile, Storage};
use crate::{Limits, ServeError};
use axum::http::StatusCode;
use folder::{being_sent, digits, empty_folder, missing, read_json, sync_folder, write_json};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The folder of uploads, which one server has at a time.
pub(crate) struct Uploads {
    folder: PathBuf,
    scratch: PathBuf,
    upload_bytes: u64,
    storage: Arc<Storage>,
    /// How long an unfinished upload is kept after its last byte.
    unfinished: Duration,
    /// Held while the folder's files are listed, made, renamed or removed.
    folder_lock: Mutex<()>,
    /// Locked as long as this server runs; the system unlocks it, however that ends.
    _server_lock: File,
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

/// What the folder holds of an upload.
#[derive(Debug)]
enum State {
    Absent,
    /// So many of its bytes are there.
    Unfinished(FileInfo, u64),
    Whole(FileInfo),
}

const FILE: &str = "file-";
const UPLOAD: &str = "upload-";
/// Hexadecimal digits of an id: 96 random bits.
const ID_DIGITS: usize = 24;
/// The longest name that is kept.
const MAX_NAME: usize = 255;
/// Uploads that are announced and not whole.
const MOST_UNFINISHED: usize = 1000;
/// What stands after the digits in the names of an upload's files. Earlier versions wrote `.part.json` first and `.json` in
/// its place after the rename.
const ENDINGS: [&str; 4] = [".json", ".part.json", ".part", ""];

impl Uploads {
    /// Takes the folder, and removes what a server that was killed left in it and nobody can go on with.
    pub(crate) fn open(folder: &Path, limits: &Limits) -> Result<Self, ServeError> {
        let refuse = |source| ServeError::File { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(refuse)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("server.lock"));
        let lock = lock.map_err(refuse)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(ServeError::FolderInUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, "the folder of uploads cannot be locked")
            }
            Ok(()) => (),
        }
        let uploads = Self {
            folder: folder.to_owned(),
            scratch: empty_folder(&folder.join("scratch")).map_err(refuse)?,
            upload_bytes: limits.upload_bytes,
            storage: Arc::new(Storage::new(limits.storage_bytes)),
            unfinished: Duration::from_secs(limits.unfinished_secs),
            folder_lock: Mutex::default(),
            _server_lock: lock,
        };
        uploads.sweep().map_err(refuse)?;
        Ok(uploads)
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.folder_lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For files of single requests.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Room for files of a request.
    pub(crate) fn room(&self) -> Room {
        Room::new(&self.storage)
    }

    /// A file of a request.
    pub(crate) fn scratch_file(&self) -> ApiResult<ScratchFile> {
        ScratchFile::new(&self.scratch, &self.storage).map_err(ApiError::io)
    }

    /// Begins an upload of `bytes`, which count from when they come.
    pub(crate) fn begin(&self, filename: &str, bytes: u64, purpose: &str) -> ApiResult<FileInfo> {
        self.sweep().map_err(ApiError::io)?;
        self.storage.check(bytes).map_err(ApiError::io)?;
        let _alone = self.alone();
        let info = self.describe(filename, bytes, purpose)?;
        File::create_new(self.place(digits(&info.id, UPLOAD)?, ".part")).map_err(ApiError::io)?;
        Ok(info)
    }

    /// Makes a file of a request, which lies on the same disk, one that stays.
    pub(crate) fn keep(&self, filename: &str, file: ScratchFile, purpose: &str) -> ApiResult<FileInfo> {
        let bytes = file.file.as_file().metadata().map_err(ApiError::io)?.len();
        let info = {
            let _alone = self.alone();
            let info = self.describe(filename, bytes, purpose)?;
            let place = self.place(digits(&info.id, UPLOAD)?, ".part");
            file.file.persist(place).map_err(|e| ApiError::io(e.error))?;
            self.recount().map_err(ApiError::io)?;
            info
        };
        self.complete(&info.id)
    }

    /// Gives an upload its id, and writes what is known of it. The caller holds the lock, and makes its `.part` before it ends.
    fn describe(&self, filename: &str, bytes: u64, purpose: &str) -> ApiResult<FileInfo> {
        if bytes == 0 {
            return Err(ApiError::bad("an empty file is no video").param("bytes"));
        }
        if bytes > self.upload_bytes {
            let message = format!("{bytes} bytes are more than the {} of an upload", self.upload_bytes);
            return Err(ApiError::too_large(message).param("bytes"));
        }
        if self.unfinished().map_err(ApiError::io)? >= MOST_UNFINISHED {
            return Err(ApiError::queue_full("too many uploads are begun and not finished; cancel some"));
        }
        let mut random = [0; ID_DIGITS / 2];
        rand::rng().fill_bytes(&mut random);
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let info = FileInfo {
            id: format!("{UPLOAD}{digits}"),
            bytes,
            filename: escaped(filename, MAX_NAME),
            created_at: unix_secs(),
            purpose: escaped(purpose, MAX_NAME),
        };
        write_json(&self.place(&digits, ".json"), &info).map_err(ApiError::io)?;
        Ok(info)
    }

    /// What there is of an upload: the one rule.
    fn state(&self, digits: &str) -> State {
        let read = |ending| read_json(&self.place(digits, ending));
        let Some(info) = read(".json").or_else(|| read(".part.json")) else { return State::Absent };
        let length = |ending| std::fs::metadata(self.place(digits, ending)).ok().map(|file| file.len());
        if length("").is_some() {
            return State::Whole(FileInfo { id: format!("{FILE}{digits}"), ..info });
        }
        match length(".part") {
            Some(received) => {
                State::Unfinished(FileInfo { id: format!("{UPLOAD}{digits}"), ..info }, received)
            }
            None => State::Absent,
        }
    }

    /// An upload, and how many of its bytes are there.
    pub(crate) fn progress(&self, id: &str) -> ApiResult<(FileInfo, u64)> {
        match self.state(digits(id, UPLOAD)?) {
            State::Unfinished(info, received) => Ok((info, received)),
            State::Absent | State::Whole(_) => Err(missing(id)),
        }
    }

    /// A file to append to an upload with, positioned after what is there. `offset` must be just that.
    pub(crate) fn appender(&self, id: &str, offset: u64) -> ApiResult<(File, FileInfo)> {
        let (info, received) = self.progress(id)?;
        let path = self.place(digits(id, UPLOAD)?, ".part");
        let mut file = OpenOptions::new().write(true).open(path).map_err(ApiError::io)?;
        // One writer: a second one would interleave its bytes.
        if file.try_lock().is_err() {
            return Err(being_sent().param("offset"));
        }
        if offset != received {
            let message = format!("the server has {received} bytes of this upload; go on from there");
            return Err(ApiError::new(StatusCode::CONFLICT, message).param("offset").code("wrong_offset"));
        }
        file.seek(SeekFrom::Start(offset)).map_err(ApiError::io)?;
        Ok((file, info))
    }

    /// Writes the next bytes of an upload.
    pub(crate) fn append(&self, file: &mut File, piece: &[u8]) -> ApiResult<()> {
        self.storage.append(file, piece).map_err(ApiError::io)
    }

    /// Makes an upload whose bytes are all there a file. Who did not hear so, or asks at the same time, is told the same.
    pub(crate) fn complete(&self, id: &str) -> ApiResult<FileInfo> {
        let digits = digits(id, UPLOAD)?;
        let part = self.place(digits, ".part");
        // Before others are kept waiting; where it is gone, someone was faster.
        if let Ok(file) = File::open(&part) {
            file.sync_all().map_err(ApiError::io)?;
        }
        let _alone = self.alone();
        match self.state(digits) {
            State::Absent => Err(missing(id)),
            State::Whole(info) => Ok(info),
            State::Unfinished(info, received) if received != info.bytes => {
                let message = format!("{received} of {} bytes are there; send the others first", info.bytes);
                Err(ApiError::new(StatusCode::CONFLICT, message).code("incomplete"))
            }
            State::Unfinished(info, _) => {
                std::fs::rename(part, self.place(digits, "")).map_err(ApiError::io)?;
                sync_folder(&self.folder);
                Ok(FileInfo { id: format!("{FILE}{digits}"), ..info })
            }
        }
    }

    /// Removes an upload that is not finished.
    pub(crate) fn cancel(&self, id: &str) -> ApiResult<()> {
        let digits = digits(id, UPLOAD)?;
        let _alone = self.alone();
        match self.state(digits) {
            State::Unfinished(..) => self.erase(digits).map_err(ApiError::io),
            State::Absent | State::Whole(_) => Err(missing(id)),
        }
    }

    /// A file.
    pub(crate) fn info(&self, id: &str) -> ApiResult<FileInfo> {
        match self.state(digits(id, FILE)?) {
            State::Whole(info) => Ok(info),
            State::Absent | State::Unfinished(..) => Err(missing(id)),
        }
    }

    /// Its place on the disk.
    pub(crate) fn path(&self, id: &str) -> ApiResult<PathBuf> {
        self.info(id)?;
        Ok(self.place(digits(id, FILE)?, ""))
    }

    /// All files, the newest first.
    pub(crate) fn list(&self) -> ApiResult<Vec<FileInfo>> {
        let whole = |digits: &String| match self.state(digits) {
            State::Whole(info) => Some(info),
            State::Absent | State::Unfinished(..) => None,
        };
        let mut files: Vec<FileInfo> =
            self.all_digits().map_err(ApiError::io)?.iter().filter_map(whole).collect();
        files.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        Ok(files)
    }

    /// Removes a file. A question at work on it keeps what it has open.
    pub(crate) fn remove(&self, id: &str) -> ApiResult<()> {
        let digits = digits(id, FILE)?;
        let _alone = self.alone();
        self.info(id)?;
        self.erase(digits).map_err(ApiError::io)
    }

    fn place(&self, digits: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{digits}{ending}"))
    }
}
