//! The small model that comes inside the program: its files are unpacked into the user's cache, where the rest of the
//! program reads them like any other checkpoint.
//!
//! It is unpacked, not read from memory: the loaders know folders only, and a folder can be looked at and opened in
//! transformers. Each use compares the files with the program's own and mends what differs.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

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

/// A file that was begun so long ago belongs to nobody: writing one takes a moment.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Unpacks the model below `cache_dir`, or, where that cannot be written, below a folder of this user's own among the
/// system's temporary files. Files that are there already are compared with what they must be, and replaced where they
/// differ.
pub(crate) fn unpack(cache_dir: &Path) -> Result<PathBuf, HubError> {
    let elsewhere = || unpack_below(&private_folder(&std::env::temp_dir())?);
    unpack_below(cache_dir).or_else(|error| elsewhere().map_err(|_| error))
}

fn unpack_below(cache_dir: &Path) -> Result<PathBuf, HubError> {
    let folder = cache_dir.join("models").join(BUILT_IN);
    fs::create_dir_all(&folder).map_err(|e| HubError::io("create", &folder, e))?;
    remove_abandoned(&folder);
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            continue;
        }
        replace(&path, bytes).map_err(|e| HubError::io("write", &path, e))?;
    }
    Ok(folder)
}

/// A folder that only this user may enter, in one that everybody may write to: a folder that another user has put in its
/// place is refused.
#[cfg(unix)]
fn private_folder(temporary: &Path) -> Result<PathBuf, HubError> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let user = own_user(temporary).map_err(|e| HubError::io("write to", temporary, e))?;
    let folder = temporary.join(format!("longsight-{user}"));
    match fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(HubError::io("create", &folder, e)),
        _ => (),
    }
    let found = fs::symlink_metadata(&folder).map_err(|e| HubError::io("read", &folder, e))?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        let error = io::Error::new(ErrorKind::PermissionDenied, "others may write to it; remove it");
        return Err(HubError::io("use", &folder, error));
    }
    Ok(folder)
}

#[cfg(not(unix))]
fn private_folder(temporary: &Path) -> Result<PathBuf, HubError> {
    Ok(temporary.join("longsight")) // each user's temporary files lie in a folder of their own there
}

/// The user that this process's files belong to.
#[cfg(unix)]
fn own_user(temporary: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    let path = temporary.join(format!(".longsight-{}-{}", std::process::id(), next_number()));
    let user = File::create_new(&path)?.metadata().map(|file| file.uid());
    fs::remove_file(&path)?;
    user
}

/// Removes what killed processes left half written.
fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let age =
            entry.metadata().and_then(|file| file.modified()).ok().and_then(|written| written.elapsed().ok());
        if path.extension().is_some_and(|e| e == "part") && age.is_some_and(|age| age > ABANDONED_AFTER) {
            let _ = fs::remove_file(path); // what cannot be removed stays, and harms nothing
        }
    }
}

/// No two of a process are the same.
fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A temporary file and a rename: who reads meanwhile, in this process or another, sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let partial = path.with_extension(format!("{}-{}.part", std::process::id(), next_number()));
    let written = File::create(&partial)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial); // the error that counts is the first one
    }
    written
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn the_folder_among_temporary_files_is_this_users_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = private_folder(temporary.path()).unwrap();
        let made = fs::metadata(&folder).unwrap();
        assert_eq!(made.mode() & 0o777, 0o700);
        let name = format!("longsight-{}", fs::metadata(temporary.path()).unwrap().uid());
        assert_eq!(folder, temporary.path().join(name));
        assert_eq!(private_folder(temporary.path()).unwrap(), folder, "found again");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(private_folder(temporary.path()).is_err(), "others may write to it");
        fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink(temporary.path(), &folder).unwrap();
        assert!(private_folder(temporary.path()).is_err(), "it leads elsewhere");
    }

    #[test]
    fn what_a_killed_process_left_half_written_is_removed() {
        let cache = tempfile::tempdir().unwrap();
        let folder = unpack_below(cache.path()).unwrap();
        let (old, new) = (folder.join("config.1-0.part"), folder.join("config.2-0.part"));
        fs::write(&old, "half").unwrap();
        fs::write(&new, "half").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
        File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        unpack_below(cache.path()).unwrap();
        assert!(!old.exists() && new.exists());
    }
}
