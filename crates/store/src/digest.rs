//! Digests of files, remembered while the files stay as they are.

use crate::store::DIGESTS;
use crate::{Result, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Computes BLAKE3 digests of files. A store remembers each with what the system says of the file, and believes it while all
/// of that is unchanged: size, inode, time of writing, and time of the last change of any kind, which no program can set.
#[derive(Debug, Clone, Default)]
pub struct FileDigests {
    store: Option<Store>,
}

/// What is remembered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    path: String,
    stamp: Stamp,
    digest: String,
}

/// What changes whenever a file does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    device: u64,
    inode: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// A file changed this lately may change again within the same tick of the system's clock.
const SETTLED: Duration = Duration::from_secs(2);

impl FileDigests {
    /// Remembers in `store`; None remembers nothing.
    pub fn new(store: Option<Store>) -> Self {
        Self { store }
    }

    /// The digest of a file, as hexadecimal digits.
    ///
    /// # Errors
    /// A file that cannot be read, or that changes meanwhile.
    pub fn file(&self, path: &Path) -> Result<String> {
        let path = &std::fs::canonicalize(path).map_err(StoreError::io("find it", path))?;
        let file = File::open(path).map_err(StoreError::io("open it", path))?;
        let before = file.metadata().map_err(StoreError::io("read it", path))?;
        let stamp = stamp(&before);
        if let Some(known) = stamp.as_ref().and_then(|stamp| self.remembered(path, stamp)) {
            return Ok(known);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&file).map_err(StoreError::io("read it", path))?;
        let digest = hasher.finalize().to_hex().to_string();
        let after = file.metadata().map_err(StoreError::io("read it", path))?;
        if (before.len(), before.modified().ok()) != (after.len(), after.modified().ok()) {
            return Err(StoreError::damaged(path, "it changes while it is read"));
        }
        if let Some(stamp) = stamp.filter(is_settled) {
            self.remember(Remembered { path: path.display().to_string(), stamp, digest: digest.clone() });
        }
        Ok(digest)
    }

    fn remembered(&self, path: &Path, stamp: &Stamp) -> Option<String> {
        let name = name_of(&path.display().to_string());
        let text = std::fs::read(self.store.as_ref()?.folder(DIGESTS).join(name)).ok()?;
        let known: Remembered = serde_json::from_slice(&text).ok()?;
        (known.stamp == *stamp && Path::new(&known.path) == path).then_some(known.digest)
    }

    /// Where it cannot be remembered the file is read again next time.
    fn remember(&self, known: Remembered) {
        let Some(store) = &self.store else { return };
        let Ok(folder) = store.made_folder(DIGESTS) else { return };
        let name = name_of(&known.path);
        let new = folder.join(format!("{name}.{}", std::process::id()));
        let Ok(json) = serde_json::to_vec(&known) else { return };
        if std::fs::write(&new, json).and_then(|()| std::fs::rename(&new, folder.join(name))).is_err() {
            let _ = std::fs::remove_file(&new);
        }
    }
}

/// Whether what a file of the folder of digests remembers still holds.
pub(crate) fn is_current(remembered: &Path) -> bool {
    let known =
        std::fs::read(remembered).ok().and_then(|text| serde_json::from_slice::<Remembered>(&text).ok());
    known.is_some_and(|known| {
        let now = std::fs::metadata(&known.path).ok().as_ref().and_then(stamp);
        now == Some(known.stamp)
    })
}

fn name_of(path: &str) -> String {
    blake3::hash(path.as_bytes()).to_hex()[..32].to_owned()
}

fn is_settled(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let last = stamp.changed.0.max(stamp.written.0);
    u64::try_from(last).is_ok_and(|last| Duration::from_secs(last) + SETTLED < now)
}

#[cfg(unix)]
fn stamp(file: &Metadata) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    Some(Stamp {
        bytes: file.len(),
        device: file.dev(),
        inode: file.ino(),
        written: (file.mtime(), file.mtime_nsec()),
        changed: (file.ctime(), file.ctime_nsec()),
    })
}

/// Nothing that is sure to change: files are read each time.
#[cfg(not(unix))]
fn stamp(_: &Metadata) -> Option<Stamp> {
    None
}
