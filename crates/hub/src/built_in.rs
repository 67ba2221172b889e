//! The small model that comes inside the program: its files are unpacked into the user's cache, where the rest of the
//! program reads them like any other checkpoint.
//!
//! It is unpacked, not read from memory: the loaders know folders only, and a folder can be looked at and opened in
//! transformers. Each use compares the files with the program's own and mends what differs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::HubError;

/// Name of the built-in model. A folder of this name is `./tiny`.
pub const BUILT_IN: &str = "tiny";

macro_rules! asset {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../assets/tiny/", $name)).as_slice())
    };
}

/// Every file of the checkpoint; assets/tiny/README.md is its model card.
const FILES: [(&str, &[u8]); 7] = [
    asset!("config.json"),
    asset!("generation_config.json"),
    asset!("preprocessor_config.json"),
    asset!("chat_template.json"),
    asset!("tokenizer.json"),
    asset!("tokenizer_config.json"),
    asset!("model.safetensors"),
];

/// Unpacks the model below `cache_dir`, or below the system's folder for temporary files where that cannot be written.
/// Files that are there already are compared with what they must be, and replaced where they differ.
pub(crate) fn unpack(cache_dir: &Path) -> Result<PathBuf, HubError> {
    let elsewhere = || std::env::temp_dir().join("longsight");
    unpack_below(cache_dir).or_else(|error| unpack_below(&elsewhere()).map_err(|_| error))
}

fn unpack_below(cache_dir: &Path) -> Result<PathBuf, HubError> {
    let folder = cache_dir.join("models").join(BUILT_IN);
    fs::create_dir_all(&folder).map_err(|e| HubError::io("create", &folder, e))?;
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            continue;
        }
        replace(&path, bytes).map_err(|e| HubError::io("write", &path, e))?;
    }
    Ok(folder)
}

/// A temporary file and a rename: who reads meanwhile, in this process or another, sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static UNPACKED: AtomicU32 = AtomicU32::new(0);
    let (process, count) = (std::process::id(), UNPACKED.fetch_add(1, Ordering::Relaxed));
    let partial = path.with_extension(format!("{process}-{count}.part"));
    let written = File::create(&partial)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial); // the error that counts is the first one
    }
    written
}
