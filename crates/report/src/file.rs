//! Files that are whole or absent.

use crate::{ReportError, Result};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Writes `bytes` next to `path` under a temporary name, then renames: readers see the old file or the new one.
///
/// # Errors
/// The folder is missing or cannot be written; a temporary file is taken away again.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let Some(name) = path.file_name() else {
        return Err(ReportError::File { path: path.to_owned(), message: "not the name of a file".into() });
    };
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary_name);
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        ReportError::File { path: path.to_owned(), message: format!("cannot be written: {error}") }
    })
}

/// Removes the temporary files of writers that were killed. Only for who holds the folder's lock, and so is its only writer.
pub fn remove_unfinished(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            let _ = fs::remove_file(entry.path()); // what cannot be removed is in nobody's way
        }
    }
}
