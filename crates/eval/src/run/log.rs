//! Lines that are appended, one a sample: what was written before a crash is read back, a line cut off by it is not.

use crate::{EvalError, Result};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file of JSON lines that is only ever appended to.
pub(crate) struct LineLog {
    file: File,
    path: PathBuf,
}

impl LineLog {
    /// Opens or begins a log. An unfinished last line, as a crash leaves it, is removed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let broken =
            |source: std::io::Error| EvalError::File { path: path.into(), message: source.to_string() };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(broken)?;
        let complete = complete_bytes(&mut file).map_err(broken)?;
        file.set_len(complete).and_then(|()| file.seek(SeekFrom::End(0)).map(drop)).map_err(broken)?;
        Ok(Self { file, path: path.into() })
    }

    /// Writes `value` as a line, and returns when it is on the disk.
    pub(crate) fn append(&mut self, value: &impl Serialize) -> Result<()> {
        let broken = |message: String| EvalError::File { path: self.path.clone(), message };
        let mut line = serde_json::to_vec(value).map_err(|e| broken(e.to_string()))?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|e| {
            broken(format!("{e}; what was answered before is safe, run the same command to go on"))
        })
    }
}

/// Length of the file up to its last line feed.
fn complete_bytes(file: &mut File) -> std::io::Result<u64> {
    const BLOCK_BYTES: u64 = 64 << 10;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES);
        let mut block = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The lines of a log, one at a time. A last line without a line feed is still being written, or was cut off.
pub(crate) fn lines<T: serde::de::DeserializeOwned>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<T>> + use<T>> {
    let broken = {
        let path = path.to_owned();
        move |message: String| EvalError::File { path: path.clone(), message }
    };
    let mut reader = BufReader::new(File::open(path).map_err(|e| broken(e.to_string()))?);
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        let mut line = String::new();
        number += 1;
        match reader.read_line(&mut line) {
            Ok(_) if !line.ends_with('\n') => None,
            Ok(_) => Some(serde_json::from_str(&line).map_err(|e| {
                broken(format!("line {number}: {e}; the file was changed: restore it, or begin a new run"))
            })),
            Err(error) => Some(Err(broken(error.to_string()))),
        }
    }))
}
