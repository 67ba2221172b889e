use crate::entry::{Entry, EntryInfo};
use crate::key::is_entry_name;
use crate::lock::Lock;
use crate::{Key, Result, StoreError};
use std::path::{Path, PathBuf};

/// Where a store is, and how large it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The folder; made when it is first written to.
    pub folder: PathBuf,
    /// Bytes of all entries together.
    pub limit_bytes: u64,
}

/// A folder of entries.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) settings: StoreSettings,
}

impl Store {
    /// The store in a folder, which need not exist yet.
    pub fn new(settings: StoreSettings) -> Self {
        Self { settings }
    }

    /// Its settings.
    pub fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// The entry of `key`, checked; None where there is none. A damaged one is removed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], once: the next call finds nothing. A file that cannot be read.
    pub fn find(&self, key: &Key) -> Result<Option<Entry>> {
        let path = self.entry_path(key.name());
        let entry = match Entry::read(&path) {
            Ok(entry) => entry,
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error @ StoreError::Damaged { .. }) => {
                let _ = std::fs::remove_file(&path); // where that fails it is found damaged again, and never used
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        Ok(Some(entry).filter(|entry| entry.is_of(key)))
    }

    /// All entries, the one used last first.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list(&self) -> Result<Vec<EntryInfo>> {
        let files = self.files(ENTRIES)?;
        let named = |path: PathBuf| {
            let name = file_name(&path).filter(|name| is_entry_name(name))?.to_owned();
            EntryInfo::read(path, name)
        };
        let mut entries: Vec<EntryInfo> = files.into_iter().filter_map(named).collect();
        entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.name.cmp(&b.name)));
        Ok(entries)
    }

    /// Removes an entry by its name.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&self, entry: &EntryInfo) -> Result<()> {
        match std::fs::remove_file(&entry.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("remove it", &entry.path)(e))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn entry_path(&self, name: &str) -> PathBuf {
        self.folder(ENTRIES).join(name)
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.settings.folder.join(name)
    }

    /// Makes the folder `name` of the store.
    pub(crate) fn made_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder(name);
        std::fs::create_dir_all(&folder).map_err(StoreError::io("make the folder", &folder))?;
        Ok(folder)
    }

    /// Files of the folder `name`; none where it is not there.
    pub(crate) fn files(&self, name: &str) -> Result<Vec<PathBuf>> {
        let folder = self.folder(name);
        match std::fs::read_dir(&folder) {
            Ok(files) => Ok(files.filter_map(|file| Some(file.ok()?.path())).collect()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(StoreError::io("read the folder", &folder)(e)),
        }
    }

    /// Entries being written: files that the store itself named.
    pub(crate) fn unfinished(&self) -> Result<Vec<PathBuf>> {
        let own = |path: &PathBuf| {
            file_name(path)
                .and_then(|name| name.split_once('.'))
                .is_some_and(|(entry, _)| is_entry_name(entry))
        };
        Ok(self.files(UNFINISHED)?.into_iter().filter(own).collect())
    }

    /// Held while sizes are counted and room is made.
    pub(crate) fn lock_sizes(&self) -> Result<Lock> {
        Lock::wait(&self.made_folder(LOCKS)?.join("sizes"), &mut || true)
    }
}

/// Whole entries.
pub(crate) const ENTRIES: &str = "entries";
/// Entries being written.
pub(crate) const UNFINISHED: &str = "unfinished";
/// Lock files; those of killed processes stay, and lock nobody out.
pub(crate) const LOCKS: &str = "locks";
/// Digests of files already read.
pub(crate) const DIGESTS: &str = "digests";

/// The last part of a path, where it is text.
pub(crate) fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Length of a file; 0 where it has gone.
pub(crate) fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
