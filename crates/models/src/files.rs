//! Files of a checkpoint folder other than the weights: small, and read whole.

use crate::{ModelError, Result};
use std::path::Path;

/// Reads a regular file of at most `limit_bytes`: a device, a pipe or a huge file is an error, not a hang.
pub(crate) fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    Ok(longsight_text::read_file(path, limit_bytes)?)
}

/// Like [`read`], as UTF-8 text.
pub(crate) fn read_text(path: &Path, limit_bytes: u64) -> Result<String> {
    Ok(longsight_text::read_text(path, limit_bytes)?)
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
