//! One blob: resumed where it was cut, checked, then renamed into place under its lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use ureq::http::{Response, header::CONTENT_RANGE};

use crate::cache::{RepoCache, create_parent};
use crate::client::{Client, FileMeta};
use crate::name::is_sha256;
use crate::retry::{Backoff, Failure};
use crate::{DownloadProgress, HubError, Patience};

const BUFFER_BYTES: usize = 256 << 10;

/// Everything that the downloads of one snapshot share.
pub(crate) struct Downloader<'a> {
    pub(crate) client: &'a Client<'a>,
    pub(crate) cache: &'a RepoCache,
    pub(crate) commit: &'a str,
    pub(crate) patience: &'a Patience,
    pub(crate) progress: &'a dyn DownloadProgress,
}

impl Downloader<'_> {
    /// Puts one file into the snapshot, downloading its blob unless another process just did.
    pub(crate) fn fetch(&self, meta: &FileMeta) -> Result<(), HubError> {
        let _lock = self.cache.lock(&meta.etag)?;
        let blob = self.cache.blob(&meta.etag);
        if !self.cache.snapshot(self.commit).join(&meta.file).is_file() && !blob.is_file() {
            let partial = self.complete(meta)?;
            partial.verify(meta)?;
            fs::rename(self.cache.incomplete(&meta.etag), &blob)
                .map_err(|e| HubError::io("create", &blob, e))?;
            self.progress.finish();
        }
        self.cache.link(self.commit, &meta.file, &meta.etag)
    }

    /// Bytes still to come for a file.
    pub(crate) fn remaining_bytes(&self, meta: &FileMeta) -> u64 {
        if self.cache.blob(&meta.etag).is_file() {
            return 0;
        }
        let here = fs::metadata(self.cache.incomplete(&meta.etag)).map_or(0, |m| m.len());
        meta.size_bytes.unwrap_or(0).saturating_sub(here)
    }

    fn complete(&self, meta: &FileMeta) -> Result<Partial, HubError> {
        let mut partial = Partial::open(self.cache.incomplete(&meta.etag), is_sha256(&meta.etag))?;
        let mut backoff = Backoff::new(self.patience);
        let mut furthest = partial.len_bytes;
        loop {
            let Err(failure) = self.attempt(meta, &mut partial) else { return Ok(partial) };
            if partial.len_bytes > furthest {
                furthest = partial.len_bytes;
                backoff.reset();
            }
            if matches!(failure, Failure::Fatal(_)) || !backoff.wait() {
                return Err(failure.into_error());
            }
        }
    }

    fn attempt(&self, meta: &FileMeta, partial: &mut Partial) -> Result<(), Failure> {
        if meta.size_bytes.is_some_and(|size| partial.len_bytes > size) {
            partial.restart()?;
        }
        self.progress.start(&meta.file, meta.size_bytes, partial.len_bytes);
        if meta.size_bytes == Some(partial.len_bytes) {
            return Ok(());
        }
        let mut response = self.client.download(self.commit, &meta.file, partial.len_bytes)?;
        match (response.status().as_u16(), content_range(&response)) {
            (206, (Some(start), _)) if start == partial.len_bytes => {}
            (416, (_, Some(total))) if total == partial.len_bytes && meta.size_bytes.is_none() => {
                return Ok(());
            }
            (200, _) => {
                if partial.len_bytes > 0 {
                    partial.restart()?;
                    self.progress.start(&meta.file, meta.size_bytes, 0);
                }
            }
            (status, _) => {
                partial.restart()?;
                return Err(transient(meta, format!("status {status} for a range that was not asked for")));
            }
        }
        self.copy(meta, &mut response.body_mut().as_reader(), partial)
    }

    fn copy(&self, meta: &FileMeta, body: &mut dyn Read, partial: &mut Partial) -> Result<(), Failure> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(transient(meta, e.to_string())),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            partial.append(bytes).map_err(|e| self.no_room(e, meta, partial))?;
            self.progress.advance(count as u64);
            if meta.size_bytes.is_some_and(|size| partial.len_bytes > size) {
                return Err(partial.discard(meta, "size", format!("more than {}", partial.len_bytes)).into());
            }
        }
        match meta.size_bytes {
            Some(size) if partial.len_bytes < size => {
                Err(transient(meta, format!("cut at byte {} of {size}", partial.len_bytes)))
            }
            _ => Ok(()),
        }
    }

    fn no_room(&self, error: HubError, meta: &FileMeta, partial: &Partial) -> HubError {
        match error {
            HubError::DiskFull { folder, free_bytes, .. } => {
                let needed_bytes = meta.size_bytes.map(|size| size.saturating_sub(partial.len_bytes));
                HubError::DiskFull { folder, needed_bytes, free_bytes }
            }
            other => other,
        }
    }
}

fn transient(meta: &FileMeta, problem: String) -> Failure {
    Failure::Transient(HubError::Broken { file: meta.file.clone(), problem })
}

/// First byte and total of `Content-Range: bytes 5-9/10` or `bytes */10`.
fn content_range<B>(response: &Response<B>) -> (Option<u64>, Option<u64>) {
    let header = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let Some((range, total)) = header.strip_prefix("bytes ").and_then(|v| v.split_once('/')) else {
        return (None, None);
    };
    (range.split_once('-').and_then(|(start, _)| start.parse().ok()), total.parse().ok())
}

/// A blob that grows: its bytes so far and their running hash.
struct Partial {
    file: File,
    path: PathBuf,
    len_bytes: u64,
    hash: Option<Sha256>,
}

impl Partial {
    fn open(path: PathBuf, with_hash: bool) -> Result<Self, HubError> {
        create_parent(&path)?;
        let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = open.map_err(|e| HubError::io("create", &path, e))?;
        let mut hash = with_hash.then(Sha256::new);
        let hashed = match &mut hash {
            Some(hash) if file.metadata().is_ok_and(|m| m.len() > 0) => io::copy(&mut file, hash),
            _ => file.seek(SeekFrom::End(0)),
        };
        let len_bytes = hashed.map_err(|e| HubError::io("read", &path, e))?;
        Ok(Self { file, path, len_bytes, hash })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        if let Err(e) = self.file.write_all(bytes) {
            // Part of the bytes may have been written; only those that were counted may stay for the resume.
            let _ = self.file.set_len(self.len_bytes);
            return Err(HubError::io("write", &self.path, e));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.len_bytes += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), HubError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|e| HubError::io("truncate", &self.path, e))?;
        self.len_bytes = 0;
        self.hash = self.hash.is_some().then(Sha256::new);
        Ok(())
    }

    /// Compares with what the hub promised; bytes that do not match are of no use and go.
    fn verify(mut self, meta: &FileMeta) -> Result<(), HubError> {
        if meta.size_bytes.is_some_and(|size| size != self.len_bytes) {
            return Err(self.discard(meta, "size", self.len_bytes.to_string()));
        }
        if let Some(hash) = self.hash.take() {
            let found: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
            if found != meta.etag {
                return Err(self.discard(meta, "sha256", found));
            }
        }
        self.file.sync_all().map_err(|e| HubError::io("write", &self.path, e))
    }

    fn discard(&self, meta: &FileMeta, measure: &'static str, found: String) -> HubError {
        let _ = fs::remove_file(&self.path);
        let expected = match (measure, meta.size_bytes) {
            ("size", Some(size)) => size.to_string(),
            _ => meta.etag.clone(),
        };
        HubError::Mismatch { file: meta.file.clone(), measure, expected, found }
    }
}
