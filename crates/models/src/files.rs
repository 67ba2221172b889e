//! Files of a checkpoint folder other than the weights: small, and read whole.

use crate::{ModelError, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads a regular file of at most `limit_bytes`: a device, a pipe or a huge file is an error, not a hang.
pub(crate) fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    let io = |source| ModelError::Io { path: path.into(), source };
    let wrong = |message: String| ModelError::File { path: path.into(), message };
    let kind = std::fs::metadata(path).map_err(io)?;
    if !kind.is_file() {
        return Err(wrong("not a regular file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(wrong(format!("larger than {limit_bytes} bytes: not what its name says")));
    }
    Ok(bytes)
}

/// Like [`read`], as text.
pub(crate) fn read_text(path: &Path, limit_bytes: u64) -> Result<String> {
    String::from_utf8(read(path, limit_bytes)?)
        .map_err(|_| ModelError::File { path: path.into(), message: "not UTF-8 text".into() })
}

/// Copies a checkpoint's files but its weights: configuration, tokenizer, template, model card.
pub(crate) fn copy_small_files(from: &Path, to: &Path) -> Result<()> {
    const LIMIT_BYTES: u64 = 100_000_000;
    const KINDS: [&str; 5] = ["json", "txt", "jinja", "model", "md"];
    let io = |source| ModelError::Io { path: from.into(), source };
    for entry in std::fs::read_dir(from).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let Some(name) = path.file_name() else { continue };
        let index = name.to_string_lossy().ends_with(".safetensors.index.json");
        if !path.is_file() || !KINDS.contains(&kind) || index {
            continue;
        }
        let target = to.join(name);
        std::fs::write(&target, read(&path, LIMIT_BYTES)?)
            .map_err(|source| ModelError::Io { path: target, source })?;
    }
    Ok(())
}
