//! Looking after a store: checking, and removing what nobody needs.

use crate::digest::is_current;
use crate::entry::Entry;
use crate::key::is_digest;
use crate::store::{DIGESTS, file_bytes, file_name};
use crate::{Result, Store, StoreError};
use serde::Serialize;
use std::fs::OpenOptions;
use std::path::PathBuf;

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The entry, or the file.
    pub name: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// What is wrong with it; None where nothing is.
    pub problem: Option<String>,
}

/// What was removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Garbage {
    /// Files that a process began and did not finish.
    pub unfinished: Vec<String>,
    /// Damaged entries.
    pub damaged: Vec<String>,
    /// Entries beyond the limit.
    pub evicted: Vec<String>,
    /// Bytes of all these.
    pub bytes: u64,
}

impl Store {
    /// Checks every byte of every entry. Nothing is removed.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn verify(&self) -> Result<Vec<Verdict>> {
        let check = |entry: crate::EntryInfo| {
            let used = entry.used;
            let read = Entry::read(&entry.path);
            if read.is_ok() {
                // Checking is no use of it.
                let _ =
                    OpenOptions::new().write(true).open(&entry.path).and_then(|file| file.set_modified(used));
            }
            let problem = read.err().map(|error| match error {
                StoreError::Damaged { why, .. } => why,
                other => other.to_string(),
            });
            Verdict { name: entry.name, bytes: entry.bytes, problem }
        };
        Ok(self.list()?.into_iter().map(check).collect())
    }

    /// Removes what killed processes left, damaged entries, and entries beyond the limit.
    ///
    /// # Errors
    /// A folder that cannot be read or written to.
    pub fn collect_garbage(&self) -> Result<Garbage> {
        let mut garbage = Garbage::default();
        for path in self.abandoned()? {
            garbage.bytes += file_bytes(&path);
            std::fs::remove_file(&path).map_err(StoreError::io("remove it", &path))?;
            garbage.unfinished.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
        let damaged: Vec<String> =
            self.verify()?.into_iter().filter(|v| v.problem.is_some()).map(|v| v.name).collect();
        let sizes = self.list()?;
        for entry in sizes.iter().filter(|entry| damaged.contains(&entry.name)) {
            self.remove(entry)?;
        }
        garbage.damaged = damaged;
        if !sizes.is_empty() {
            garbage.evicted = self.shrink()?;
        }
        let gone = |name: &String| garbage.damaged.contains(name) || garbage.evicted.contains(name);
        garbage.bytes += sizes.iter().filter(|entry| gone(&entry.name)).map(|entry| entry.bytes).sum::<u64>();
        for path in self.files(DIGESTS)? {
            let is_ours = file_name(&path).and_then(|name| name.split('.').next()).is_some_and(is_digest);
            if is_ours && !is_current(&path) {
                let _ = std::fs::remove_file(&path); // of a file that is gone or has changed
            }
        }
        Ok(garbage)
    }

    /// Files that killed processes left unfinished.
    ///
    /// # Errors
    /// A folder that cannot be read, or not be locked.
    pub fn abandoned(&self) -> Result<Vec<PathBuf>> {
        if self.unfinished()?.is_empty() {
            return Ok(Vec::new());
        }
        let _sizes = self.lock_sizes()?;
        self.ended_writers()
    }

    /// Files whose writer has ended: it held a lock on each. The caller holds the lock of sizes, since a writer makes its
    /// file before it locks it.
    pub(crate) fn ended_writers(&self) -> Result<Vec<PathBuf>> {
        let ended = |path: &PathBuf| {
            let file = OpenOptions::new().write(true).open(path);
            file.is_ok_and(|file| file.try_lock().is_ok())
        };
        Ok(self.unfinished()?.into_iter().filter(ended).collect())
    }
}
