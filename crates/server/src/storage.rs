//! How much lies on the disk, of uploads and of single requests together.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::NamedTempFile;

/// Bytes on the disk, under one limit. What was announced and has not come does not count.
#[derive(Debug)]
pub(crate) struct Storage {
    limit_bytes: u64,
    /// Of uploads, whole or not.
    upload_bytes: AtomicU64,
    /// Of single requests.
    scratch_bytes: AtomicU64,
}

impl Storage {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, upload_bytes: AtomicU64::new(0), scratch_bytes: AtomicU64::new(0) }
    }

    fn held_bytes(&self) -> u64 {
        self.upload_bytes.load(Ordering::Relaxed).saturating_add(self.scratch_bytes.load(Ordering::Relaxed))
    }

    /// Refuses what does not fit.
    ///
    /// # Errors
    /// `StorageFull`, as the system says where the disk itself is full.
    pub(crate) fn check(&self, more_bytes: u64) -> io::Result<()> {
        if self.held_bytes().saturating_add(more_bytes) > self.limit_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// What the folder of uploads holds, counted anew.
    pub(crate) fn set_uploads(&self, bytes: u64) {
        self.upload_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Writes a piece of an upload at its end.
    ///
    /// # Errors
    /// No room. What was written of the piece is taken away again where the system lets us, so that it can be sent again.
    pub(crate) fn append(&self, file: &mut std::fs::File, piece: &[u8]) -> io::Result<()> {
        self.check(piece.len() as u64)?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(piece) {
            let _ = file.set_len(before); // the length that is left is what the client is told
            return Err(error);
        }
        self.upload_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Room for the files of one request, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    storage: Arc<Storage>,
    bytes: u64,
}

impl Room {
    pub(crate) fn new(storage: &Arc<Storage>) -> Self {
        Self { storage: Arc::clone(storage), bytes: 0 }
    }

    fn take(&mut self, bytes: u64) -> io::Result<()> {
        self.storage.check(bytes)?;
        self.storage.scratch_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        Ok(())
    }

    /// Writes to `out`, counting.
    pub(crate) fn writing<W: Write>(&mut self, out: W) -> Counted<'_, W> {
        Counted { out, room: self }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.storage.scratch_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A file that takes room as it grows.
pub(crate) struct Counted<'a, W> {
    out: W,
    room: &'a mut Room,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room.take(bytes.len() as u64)?;
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file of one request, with its room.
#[derive(Debug)]
pub(crate) struct ScratchFile {
    pub(crate) file: NamedTempFile,
    room: Room,
}

impl ScratchFile {
    pub(crate) fn new(folder: &std::path::Path, storage: &Arc<Storage>) -> io::Result<Self> {
        Ok(Self { file: NamedTempFile::new_in(folder)?, room: Room::new(storage) })
    }
}

impl Write for ScratchFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room.writing(&mut self.file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_of_requests_count_while_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Arc::new(Storage::new(100));
        storage.set_uploads(40);
        let mut file = ScratchFile::new(folder.path(), &storage).unwrap();
        file.write_all(&[0; 60]).unwrap();
        assert_eq!(file.write_all(&[0]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(storage.check(1).is_err());
        drop(file);
        assert!(storage.check(60).is_ok() && storage.check(61).is_err());
    }
}
