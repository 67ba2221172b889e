//! The cache folder, laid out as huggingface_hub lays it out:
//! `models--org--name/{refs/<revision>, blobs/<etag>, snapshots/<commit>/<file>}`, a snapshot's files being relative
//! links to blobs, and `.locks/models--org--name/<etag>.lock`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::HubError;
use crate::name::{RepoName, is_commit};

/// One repository's part of the cache. Nothing is created before something is written.
pub(crate) struct RepoCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(crate) fn new(cache_dir: &Path, repo: &RepoName) -> Self {
        Self { root: cache_dir.join(repo.folder()), locks: cache_dir.join(".locks").join(repo.folder()) }
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// Where a blob grows until it is whole and checked.
    pub(crate) fn incomplete(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{etag}.incomplete"))
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The commit that a revision stood for when it was last resolved, or the revision itself if it is one.
    pub(crate) fn commit_of(&self, revision: &str) -> Option<String> {
        let noted = fs::read_to_string(self.root.join("refs").join(revision)).ok();
        noted
            .map(|text| text.trim().to_owned())
            .or_else(|| Some(revision.to_owned()))
            .filter(|c| is_commit(c))
    }

    /// Notes what a branch or tag stands for; a commit needs no note.
    pub(crate) fn note_commit(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        create_parent(&path)?;
        fs::write(&path, commit).map_err(|e| HubError::io("write", &path, e))
    }

    /// Makes `snapshots/<commit>/<file>` point to the blob; on a disk without links the blob itself moves there.
    /// To be called under the blob's lock.
    pub(crate) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<(), HubError> {
        let pointer = self.snapshot(commit).join(file);
        if pointer.is_file() {
            return Ok(());
        }
        create_parent(&pointer)?;
        if pointer.symlink_metadata().is_ok() {
            fs::remove_file(&pointer).map_err(|e| HubError::io("replace", &pointer, e))?;
        }
        match symlink(&Path::new("../../blobs").join(etag), &pointer) {
            Ok(()) => Ok(()),
            Err(_) => fs::rename(self.blob(etag), &pointer).map_err(|e| HubError::io("create", &pointer, e)),
        }
    }

    /// Refuses before a download that cannot fit. Where the free space cannot be told, the write will tell.
    pub(crate) fn check_room(&self, download_bytes: u64, spare_bytes: u64) -> Result<(), HubError> {
        if download_bytes == 0 {
            return Ok(());
        }
        let needed_bytes = download_bytes.saturating_add(spare_bytes);
        let folder = self.root.join("blobs");
        fs::create_dir_all(&folder).map_err(|e| HubError::io("create", &folder, e))?;
        match fs4::available_space(&folder) {
            Ok(free) if free < needed_bytes => {
                Err(HubError::DiskFull { folder, needed_bytes: Some(needed_bytes), free_bytes: Some(free) })
            }
            _ => Ok(()),
        }
    }

    /// Waits for, and holds, the lock on a blob, which other processes (and huggingface_hub) honour too.
    /// On a disk without locks two downloads may run at once; the checks still hold.
    pub(crate) fn lock(&self, etag: &str) -> Result<File, HubError> {
        let path = self.locks.join(format!("{etag}.lock"));
        create_parent(&path)?;
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(|e| HubError::io("create", &path, e))?;
        match file.lock() {
            Err(e) if e.kind() != io::ErrorKind::Unsupported => Err(HubError::io("lock", &path, e)),
            _ => Ok(file),
        }
    }
}

pub(crate) fn create_parent(path: &Path) -> Result<(), HubError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|e| HubError::io("create", parent, e))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
