//! Writes a checkpoint again with quantized matrices, so that it loads by mapping the file.

use crate::files::copy_small_files;
use crate::lmm::{Description, LoadSettings};
use crate::weights::{QuantizedFile, StoredMatrices, WriteProgress, gguf_alone};
use crate::{ModelError, Result};
use std::fs::File;
use std::path::Path;

/// Begins the names of folders that are not complete.
const PARTIAL: &str = ".quantize-";

/// What [`quantize`] wrote.
#[derive(Debug, Clone, serde::Serialize)]
pub struct QuantizedCheckpoint {
    /// Bytes of the weights file.
    pub bytes: u64,
    /// Matrices by what they are stored as.
    pub matrices: Vec<StoredMatrices>,
}

/// Writes the checkpoint in `source` to the new folder `target`, its matrices in the dtypes of `settings`; everything else
/// stays as it is. `progress` hears of the weights done, out of all, and may stop. The folder appears when it is complete.
///
/// # Errors
/// No quantized dtype asked for, a checkpoint that is quantized already, a target that exists, files that cannot be read
/// or written; [`ModelError::Stopped`]. Whatever it is, nothing is left behind.
pub fn quantize(
    source: &Path,
    target: &Path,
    settings: &LoadSettings,
    progress: &mut WriteProgress<'_>,
) -> Result<QuantizedCheckpoint> {
    if let Some(file) = gguf_alone(source)? {
        let message = "a GGUF file is stored as it runs; quantize the original checkpoint".into();
        return Err(ModelError::File { path: file, message });
    }
    let description = Description::read(source, settings)?;
    let dtypes = description.info.dtypes;
    if dtypes.text.float().is_some() && dtypes.vision.float().is_some() {
        return Err(ModelError::Argument(format!(
            "nothing to quantize to {dtypes}: name a dtype such as q8_0"
        )));
    }
    if description.checkpoint.quantized_dtype(|_| true).is_some() {
        return Err(ModelError::Argument(format!(
            "{}: quantized already; quantize the original checkpoint",
            source.display()
        )));
    }
    let io = |source| ModelError::Io { path: target.into(), source };
    if target.exists() {
        return Err(io(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "exists; name a new folder")));
    }
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(io)?;
    remove_abandoned(parent);
    let partial = tempfile::Builder::new().prefix(PARTIAL).tempdir_in(parent).map_err(io)?;
    let _lock = locked(partial.path()); // until the folder has its name
    copy_small_files(source, partial.path())?;
    let mut file = QuantizedFile::default();
    for (name, info, dtype) in description.stored_tensors() {
        file.add(name, info, dtype);
    }
    let bytes = file.write(&description.checkpoint, &partial.path().join("model.safetensors"), progress)?;
    std::fs::rename(partial.path(), target).map_err(io)?; // its clean-up then finds nothing
    Ok(QuantizedCheckpoint { bytes, matrices: description.info.matrices })
}

/// A folder, locked as long as what is returned is held; the system unlocks it, however this process ends. None where another
/// holds it, or the system cannot lock folders.
fn locked(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.try_lock().is_ok().then_some(folder)
}

/// Removes folders in `parent` whose writers were killed.
fn remove_abandoned(parent: &Path) {
    for folder in std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(PARTIAL)
            && let Some(_lock) = locked(&folder)
        {
            let _ = std::fs::remove_dir_all(&folder); // what cannot be removed stays, and harms nothing
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_killed_writers_are_removed_and_no_others() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("model.safetensors"), "half").unwrap();
            path
        };
        let (abandoned, at_work, other) =
            (folder(".quantize-a1"), folder(".quantize-b2"), folder("quantize-c3"));
        let lock = locked(&at_work).unwrap();
        remove_abandoned(parent.path());
        assert!(!abandoned.exists() && at_work.exists() && other.exists());
        drop(lock);
        remove_abandoned(parent.path());
        assert!(!at_work.exists() && other.exists());
    }
}
