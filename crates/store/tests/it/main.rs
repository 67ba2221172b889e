//! A store as its users see it: entries, damage, limits, several builders, digests of files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod damage;
mod digests;
mod entries;
mod limits;

use longsight_store::{Claim, Key, Store, StoreError, StoreSettings};
use serde_json::json;
use std::path::{Path, PathBuf};

pub fn store(folder: &Path, limit_bytes: u64) -> Store {
    Store::new(StoreSettings { folder: folder.join("index"), limit_bytes })
}

pub fn key(number: u32) -> Key {
    Key::new("test", json!({ "number": number }))
}

pub fn claim(store: &Store, key: &Key, bytes: u64) -> Result<Claim, StoreError> {
    store.claim(key, bytes, &mut || true, &mut |error| panic!("damaged: {error}"))
}

/// Writes an entry; returns its file.
pub fn put(store: &Store, number: u32, payload: &[u8]) -> PathBuf {
    let Claim::Build(mut builder) = claim(store, &key(number), payload.len() as u64).unwrap() else {
        panic!("entry {number} is there already")
    };
    builder.append(payload).unwrap();
    builder.finish(json!({ "bytes": payload.len() }), json!({ "about": number })).unwrap();
    store.settings().folder.join("entries").join(key(number).name())
}
