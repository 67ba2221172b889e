//! Writing entries.

use crate::entry::{Entry, FOOTER_BYTES, Footer, Header};
use crate::lock::Lock;
use crate::store::{LOCKS, UNFINISHED, file_bytes};
use crate::{Key, Result, Store, StoreError};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a process gets that asks for an entry.
#[derive(Debug)]
pub enum Claim {
    /// It is there.
    Ready(Entry),
    /// It is this process's to build; others wait.
    Build(Box<Builder>),
}

/// The right to write one entry.
#[derive(Debug)]
pub struct Builder {
    store: Store,
    key: Key,
    _lock: Lock,
    file: Option<Unfinished>,
    hasher: blake3::Hasher,
    payload_bytes: u64,
}

/// Room for the JSON of an entry in a reservation; what is longer is counted when the next entry makes room.
const HEADER_ROOM_BYTES: u64 = 64 << 10;

impl Store {
    /// The entry of `key`, or the right to build it with a payload of about `payload_bytes`. Waits while another process
    /// builds it; `wait` is asked every 50 ms and stops the waiting by false. A damaged entry is removed, and `damaged` told.
    ///
    /// # Errors
    /// A folder that cannot be written to, an entry larger than the limit, [`StoreError::Stopped`].
    pub fn claim(
        &self,
        key: &Key,
        payload_bytes: u64,
        wait: &mut dyn FnMut() -> bool,
        damaged: &mut dyn FnMut(StoreError),
    ) -> Result<Claim> {
        let mut found = || match self.find(key) {
            Err(error @ StoreError::Damaged { .. }) => {
                damaged(error);
                Ok(None)
            }
            other => other,
        };
        if let Some(entry) = found()? {
            return Ok(Claim::Ready(entry));
        }
        let lock = Lock::wait(&self.made_folder(LOCKS)?.join(key.name()), wait)?;
        if let Some(entry) = found()? {
            return Ok(Claim::Ready(entry)); // built meanwhile
        }
        let file = self.reserve(key, payload_bytes.saturating_add(HEADER_ROOM_BYTES + FOOTER_BYTES))?;
        Ok(Claim::Build(Box::new(Builder {
            store: self.clone(),
            key: key.clone(),
            _lock: lock,
            file: Some(file),
            hasher: blake3::Hasher::new(),
            payload_bytes: 0,
        })))
    }

    /// A new file that counts as `bytes` until it is finished.
    fn reserve(&self, key: &Key, bytes: u64) -> Result<Unfinished> {
        let folder = self.made_folder(UNFINISHED)?;
        let _sizes = self.lock_sizes()?;
        self.make_room(bytes)?;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}.{}.{number}", key.name(), std::process::id()));
        let file = OpenOptions::new().create_new(true).write(true).open(&path);
        let file = file.map_err(StoreError::io("make a file", &path))?;
        let unfinished = Unfinished { path: path.clone(), file: BufWriter::with_capacity(1 << 20, file) };
        let file = unfinished.file.get_ref();
        file.lock().map_err(StoreError::io("lock", &path))?;
        file.set_len(bytes).map_err(StoreError::io("reserve room", &path))?;
        Ok(unfinished)
    }

    /// Removes entries used least recently until `bytes` more fit the limit. The caller holds the lock of sizes.
    fn make_room(&self, bytes: u64) -> Result<()> {
        let limit_bytes = self.settings.limit_bytes;
        if bytes > limit_bytes {
            return Err(StoreError::TooLarge { bytes, limit_bytes });
        }
        for path in self.ended_writers()? {
            let _ = std::fs::remove_file(path); // counted below where that fails
        }
        let unfinished: u64 = self.unfinished()?.iter().map(|path| file_bytes(path)).sum();
        let mut entries = self.list()?;
        let mut total: u64 = unfinished + entries.iter().map(|entry| entry.bytes).sum::<u64>();
        while total.saturating_add(bytes) > limit_bytes {
            let Some(oldest) = entries.pop() else {
                return Err(StoreError::TooLarge { bytes: bytes.saturating_add(unfinished), limit_bytes });
            };
            self.remove(&oldest)?;
            total -= oldest.bytes;
        }
        Ok(())
    }

    /// Removes entries used least recently until the limit holds; returns what was removed.
    pub(crate) fn shrink(&self) -> Result<Vec<String>> {
        let before: Vec<String> = self.list()?.into_iter().map(|entry| entry.name).collect();
        let _sizes = self.lock_sizes()?;
        self.make_room(0)?;
        let after: Vec<String> = self.list()?.into_iter().map(|entry| entry.name).collect();
        Ok(before.into_iter().filter(|name| !after.contains(name)).collect())
    }
}

impl Builder {
    /// Appends to the payload.
    ///
    /// # Errors
    /// A full disk, and what else the system says. The entry cannot be finished then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let path = self.store.entry_path(self.key.name());
        let file = self.file.as_mut().ok_or_else(|| StoreError::damaged(&path, "an earlier write failed"))?;
        if let Err(error) = file.file.write_all(bytes) {
            let error = StoreError::io("write", &file.path)(error);
            self.file = None;
            return Err(error);
        }
        self.hasher.update(bytes);
        self.payload_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes the entry whole and visible. `layout` is for its readers, `about` for people.
    ///
    /// # Errors
    /// As [`Self::append`]; nothing is left behind.
    pub fn finish(mut self: Box<Self>, layout: Value, about: Value) -> Result<Entry> {
        let header = Header { key: self.key.description().clone(), layout, about };
        let path = self.store.entry_path(self.key.name());
        let json = serde_json::to_vec(&header).map_err(|e| StoreError::damaged(&path, e.to_string()))?;
        let payload_bytes = self.payload_bytes;
        self.append(&json)?;
        let footer = Footer::new(payload_bytes, json.len() as u64, self.hasher.clone()).to_bytes();
        self.append(&footer)?;
        let Some(mut file) = self.file.take() else { return Err(StoreError::damaged(&path, "not written")) };
        self.store.made_folder(crate::store::ENTRIES)?;
        file.publish(&path, payload_bytes + json.len() as u64 + footer.len() as u64)?;
        Entry::read(&path)
    }
}

impl Write for Builder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.append(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(()) // `finish` does
    }
}

/// A file that vanishes unless it is published.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Unfinished {
    /// Cuts the reservation to `bytes`, brings them to the disk, and gives the file its name.
    fn publish(&mut self, to: &Path, bytes: u64) -> Result<()> {
        let from = &self.path;
        self.file.flush().map_err(StoreError::io("write", from))?;
        let file = self.file.get_ref();
        file.set_len(bytes).map_err(StoreError::io("write", from))?;
        file.sync_all().map_err(StoreError::io("write", from))?;
        std::fs::rename(from, to).map_err(StoreError::io("make an entry", to))?;
        if let Some(folder) = to.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all(); // the name itself; not all systems can
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // gone already where it was published
    }
}
