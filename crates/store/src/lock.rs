//! One builder an entry, across processes.

use crate::{Result, StoreError};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a waiting process looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A lock file, locked. The system unlocks it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Waits for the lock; `wait` is asked before each look and stops the waiting by false.
    pub(crate) fn wait(path: &Path, wait: &mut dyn FnMut() -> bool) -> Result<Self> {
        loop {
            if let Some(lock) = Self::try_now(path)? {
                return Ok(lock);
            }
            if !wait() {
                return Err(StoreError::Stopped);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// None where another holds it.
    fn try_now(path: &Path) -> Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(StoreError::io("make a lock", path))?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", path)(source)),
        }
        // Its last holder may have removed the file that was opened here; then it locks nobody out.
        Ok(still_there(path, &file).then(|| Self { path: path.to_owned(), file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked: who opens it later makes a new one, who opened it before sees that it is gone.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

#[cfg(unix)]
fn still_there(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (on_disk, open) = (std::fs::metadata(path), file.metadata());
    matches!((on_disk, open), (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

#[cfg(not(unix))]
fn still_there(_: &Path, _: &File) -> bool {
    true // never removed there
}
