//! The format of an entry: payload, JSON, footer.

use crate::{Key, Result, StoreError};
use longsight_kernels::MappedFile;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The first bytes of a footer; the last of them is the format's version.
const MAGIC: &[u8; 8] = b"LSINDEX\x01";
/// Magic, payload length, JSON length, digest.
pub(crate) const FOOTER_BYTES: u64 = 8 + 8 + 8 + 32;

/// The JSON of an entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    /// What it is computed from.
    pub(crate) key: Value,
    /// How to read the payload; the caller's.
    pub(crate) layout: Value,
    /// For people: what it is about; the caller's.
    pub(crate) about: Value,
}

/// The end of an entry's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) payload_bytes: u64,
    pub(crate) header_bytes: u64,
    /// Of payload, JSON and both lengths.
    pub(crate) digest: [u8; 32],
}

impl Footer {
    /// The footer of what `hasher` has seen, payload then JSON.
    pub(crate) fn new(payload_bytes: u64, header_bytes: u64, mut hasher: blake3::Hasher) -> Self {
        hasher.update(&payload_bytes.to_le_bytes());
        hasher.update(&header_bytes.to_le_bytes());
        Self { payload_bytes, header_bytes, digest: hasher.finalize().into() }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let lengths = [self.payload_bytes.to_le_bytes(), self.header_bytes.to_le_bytes()].concat();
        [&MAGIC[..], &lengths, &self.digest].concat()
    }

    /// The footer of a file of `file_bytes`, whose lengths must fill it exactly.
    fn parse(bytes: &[u8], file_bytes: u64) -> std::result::Result<Self, &'static str> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes).ok_or("too short")
        };
        if bytes.get(..8) != Some(MAGIC) {
            return Err("cut off, or no index entry");
        }
        let digest = bytes.get(24..56).and_then(|bytes| bytes.try_into().ok()).ok_or("too short")?;
        let footer = Self { payload_bytes: number(8)?, header_bytes: number(16)?, digest };
        let sum = footer.payload_bytes.checked_add(footer.header_bytes);
        match sum.and_then(|sum| sum.checked_add(FOOTER_BYTES)) {
            Some(sum) if sum == file_bytes => Ok(footer),
            _ => Err("its length is not what it says"),
        }
    }
}

/// An entry whose bytes were checked, mapped into memory.
#[derive(Debug)]
pub struct Entry {
    map: MappedFile,
    payload_bytes: usize,
    header: Header,
}

impl Entry {
    /// Opens and checks a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let damaged = |why: &str| StoreError::damaged(path, why);
        let file = File::open(path).map_err(StoreError::io("open it", path))?;
        let bytes = file.metadata().map_err(StoreError::io("read it", path))?.len();
        if bytes < FOOTER_BYTES {
            return Err(damaged("too short"));
        }
        let map = MappedFile::open(&file).map_err(StoreError::io("map it", path))?;
        let all = map.as_slice();
        let footer = Footer::parse(&all[all.len() - FOOTER_BYTES as usize..], all.len() as u64);
        let footer = footer.map_err(damaged)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&all[..all.len() - FOOTER_BYTES as usize]);
        if Footer::new(footer.payload_bytes, footer.header_bytes, hasher) != footer {
            return Err(damaged("its checksum does not match"));
        }
        let payload_bytes = footer.payload_bytes as usize;
        let header = &all[payload_bytes..][..footer.header_bytes as usize];
        let header = serde_json::from_slice(header).map_err(|e| damaged(&e.to_string()))?;
        // A moment of use, for eviction; in a folder that cannot be written to nothing is evicted either.
        let _ = file.set_modified(SystemTime::now());
        Ok(Self { map, payload_bytes, header })
    }

    /// Whether this is the entry of `key`.
    pub(crate) fn is_of(&self, key: &Key) -> bool {
        self.header.key == *key.description()
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.map.as_slice()[..self.payload_bytes]
    }

    /// How to read it, as its writer said.
    pub fn layout(&self) -> &Value {
        &self.header.layout
    }
}

/// What a list shows of an entry; its payload was not looked at.
#[derive(Debug, Clone, Serialize)]
pub struct EntryInfo {
    /// Name, by which it is shown and removed.
    pub name: String,
    /// First part of the name.
    pub kind: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Seconds since 1970 of its last use.
    pub used_unix_secs: u64,
    /// What it is about, as its writer said.
    pub about: Value,
    /// What it is computed from.
    pub key: Value,
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// See `used_unix_secs`.
    #[serde(skip)]
    pub(crate) used: SystemTime,
}

impl EntryInfo {
    /// Reads footer and JSON of `path`. An unreadable entry is listed with empty descriptions.
    pub(crate) fn read(path: PathBuf, name: String) -> Option<Self> {
        let file = std::fs::metadata(&path).ok()?;
        let header = read_header(&path).unwrap_or(Header {
            key: Value::Null,
            layout: Value::Null,
            about: Value::Null,
        });
        let used = file.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Self {
            kind: name.split('-').next().unwrap_or_default().to_owned(),
            name,
            bytes: file.len(),
            used_unix_secs: used.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs()),
            about: header.about,
            key: header.key,
            path,
            used,
        })
    }
}

/// The longest JSON that is believed when only the end of a file is read.
const MAX_HEADER_BYTES: u64 = 64 << 20;

fn read_header(path: &Path) -> Option<Header> {
    let mut file = File::open(path).ok()?;
    let bytes = file.metadata().ok()?.len();
    let mut footer = [0; FOOTER_BYTES as usize];
    file.seek(SeekFrom::Start(bytes.checked_sub(FOOTER_BYTES)?)).ok()?;
    file.read_exact(&mut footer).ok()?;
    let footer = Footer::parse(&footer, bytes).ok().filter(|f| f.header_bytes <= MAX_HEADER_BYTES)?;
    file.seek(SeekFrom::Start(footer.payload_bytes)).ok()?;
    let mut json = vec![0; footer.header_bytes as usize];
    file.read_exact(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}
