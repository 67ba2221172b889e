//! Files appear whole or not at all.

use crate::{Result, WorldError};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `a/b.mp4` -> `a/.partial-b.mp4`: the ending stays, since ffmpeg and PNG writers go by it.
pub(crate) fn partial_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".partial-");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| WorldError::file(to, error))
}

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| WorldError::file(path, error))
}

pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let partial = partial_name(path);
    std::fs::write(&partial, bytes).map_err(|error| WorldError::file(&partial, error))?;
    rename(&partial, path)
}

/// A value as it is written to `path`.
pub(crate) fn json_text(path: &Path, value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| WorldError::file(path, error))?;
    Ok(text + "\n")
}

pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    write(path, json_text(path, value)?)
}

pub(crate) fn write_json_lines<T: serde::Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let mut text = String::new();
    for row in rows {
        text += &serde_json::to_string(row).map_err(|error| WorldError::file(path, error))?;
        text.push('\n');
    }
    write(path, text)
}
