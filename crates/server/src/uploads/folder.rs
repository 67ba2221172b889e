//! The folder itself: what lies in it, and what is removed from it.

use super::{ENDINGS, FileInfo, ID_DIGITS, State, Uploads};
use crate::echo::echo;
use crate::error::{ApiError, ApiResult};
use axum::http::StatusCode;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Begins the names of files that were not given their own yet.
const UNNAMED: &str = ".tmp";

impl Uploads {
    /// Removes uploads that nobody has gone on with for too long, and what a crash left that is no upload; counts the rest.
    /// Files that are not of our naming are not touched.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        let _alone = self.alone();
        for name in self.names()?.iter().filter(|name| is_unnamed(name)) {
            let _ = std::fs::remove_file(self.folder.join(name)); // written under the lock that is held here: nobody's
        }
        for digits in self.all_digits()? {
            match self.state(&digits) {
                State::Whole(_) => (),
                State::Unfinished(..) if !self.is_old(&digits) || self.is_being_sent(&digits) => (),
                State::Absent if self.has_bytes(&digits) && self.is_described(&digits) => {
                    tracing::warn!(digits, "an upload's description cannot be read; its bytes are kept");
                }
                State::Unfinished(..) | State::Absent => self.erase(&digits)?,
            }
        }
        self.recount()
    }

    /// Counts the bytes of all uploads. The caller holds the lock.
    pub(super) fn recount(&self) -> io::Result<()> {
        let length = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let of = |digits: &String| length(self.place(digits, "")) + length(self.place(digits, ".part"));
        self.storage.set_uploads(self.all_digits()?.iter().map(of).sum());
        Ok(())
    }

    /// Removes an upload, what describes it first: without that it is not there. The caller holds the lock.
    pub(super) fn erase(&self, digits: &str) -> io::Result<()> {
        for ending in ENDINGS {
            match std::fs::remove_file(self.place(digits, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => (),
            }
        }
        self.recount()
    }

    /// The digits of all uploads, whole or not.
    pub(super) fn all_digits(&self) -> io::Result<BTreeSet<String>> {
        let names = self.names()?;
        let digits = |name: &String| {
            let (digits, ending) = name.split_at_checked(ID_DIGITS)?;
            (is_ours(digits) && ENDINGS.contains(&ending)).then(|| digits.to_owned())
        };
        Ok(names.iter().filter_map(digits).collect())
    }

    /// Uploads that are announced and not whole.
    pub(super) fn unfinished(&self) -> io::Result<usize> {
        let names = self.names()?;
        Ok(names.iter().filter(|name| name.strip_suffix(".part").is_some_and(is_ours)).count())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.folder)?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }

    fn has_bytes(&self, digits: &str) -> bool {
        self.place(digits, "").exists() || self.place(digits, ".part").exists()
    }

    fn is_described(&self, digits: &str) -> bool {
        self.place(digits, ".json").exists() || self.place(digits, ".part.json").exists()
    }

    /// Whether its last byte came too long ago.
    fn is_old(&self, digits: &str) -> bool {
        let modified =
            |ending| std::fs::metadata(self.place(digits, ending)).and_then(|file| file.modified()).ok();
        let last: Option<SystemTime> = ENDINGS.into_iter().filter_map(modified).max();
        last.and_then(|last| last.elapsed().ok()).is_some_and(|age| age > self.unfinished)
    }

    fn is_being_sent(&self, digits: &str) -> bool {
        let file = OpenOptions::new().write(true).open(self.place(digits, ".part"));
        file.is_ok_and(|file| file.try_lock().is_err())
    }
}

/// The digits of an id that we could have given: nothing else becomes part of a path.
pub(super) fn digits<'a>(id: &'a str, prefix: &str) -> ApiResult<&'a str> {
    id.strip_prefix(prefix).filter(|digits| is_ours(digits)).ok_or_else(|| missing(id))
}

fn is_ours(digits: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.len() == ID_DIGITS && digits.bytes().all(is_digit)
}

/// Names as `tempfile` gives them, and no others.
fn is_unnamed(name: &str) -> bool {
    name.strip_prefix(UNNAMED)
        .is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

pub(super) fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no {}", echo(id))).code("not_found")
}

pub(super) fn being_sent() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "another request is sending this upload")
}

pub(super) fn read_json(path: &Path) -> Option<FileInfo> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Whole or absent. The caller holds the lock.
pub(super) fn write_json(path: &Path, info: &FileInfo) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(UNNAMED).rand_bytes(6).tempfile_in(folder)?;
    file.write_all(&serde_json::to_vec(info)?)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Brings names to the disk, where the system can do so.
pub(super) fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// A folder for files of single requests, emptied: what lies there is of a server that was killed.
pub(super) fn empty_folder(path: &Path) -> io::Result<PathBuf> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => (),
    }
    std::fs::create_dir_all(path)?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests;
