use crate::store;
use longsight_store::FileDigests;
use std::fs::{File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

fn files(folder: &Path) -> FileDigests {
    FileDigests::new(Some(store(folder, 1 << 20)))
}

fn remembered(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(folder.join("index/digests")).into_iter().flatten();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn a_digest_is_of_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b, c) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
    std::fs::write(&a, b"one").unwrap();
    std::fs::write(&b, b"one").unwrap();
    std::fs::write(&c, b"two").unwrap();
    let digests = files(folder.path());
    assert_eq!(digests.file(&a).unwrap(), digests.file(&b).unwrap());
    assert_ne!(digests.file(&a).unwrap(), digests.file(&c).unwrap());
    assert_eq!(digests.file(&a).unwrap(), FileDigests::new(None).file(&a).unwrap());
    let missing = digests.file(&folder.path().join("d")).unwrap_err().to_string();
    assert!(missing.contains("/d") && missing.lines().count() == 1, "{missing}");
}

/// What was written a moment ago may be written again within the clock's tick: it is read again.
#[test]
fn a_file_in_flux_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video");
    std::fs::write(&path, b"new").unwrap();
    files(folder.path()).file(&path).unwrap();
    assert_eq!(remembered(folder.path()).len(), 0);
}

/// Same name, same size, time of writing set back: the time of the last change, which nobody can set, gives it away.
#[cfg(unix)]
#[test]
fn a_file_changed_in_place_is_read_again() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("video");
    std::fs::write(&path, b"first bytes").unwrap();
    let digests = files(folder.path());
    let before = digests.file(&path).unwrap();
    // As if it had been remembered long after it was written.
    let file = std::fs::metadata(&path).unwrap();
    let name = longsight_store::text_digest(&std::fs::canonicalize(&path).unwrap().display().to_string());
    let known = serde_json::json!({
        "path": std::fs::canonicalize(&path).unwrap().display().to_string(),
        "digest": "remembered",
        "stamp": {
            "bytes": file.len(), "device": file.dev(), "inode": file.ino(),
            "written": [file.mtime(), file.mtime_nsec()], "changed": [file.ctime(), file.ctime_nsec()],
        },
    });
    let digest_folder = folder.path().join("index/digests");
    std::fs::create_dir_all(&digest_folder).unwrap();
    std::fs::write(digest_folder.join(&name[..32]), known.to_string()).unwrap();
    assert_eq!(digests.file(&path).unwrap(), "remembered", "an unchanged file is not read again");
    std::fs::write(digest_folder.join("0".repeat(32)), "of a file that is gone").unwrap();
    store(folder.path(), 1 << 20).collect_garbage().unwrap();
    assert_eq!(std::fs::read_dir(&digest_folder).unwrap().count(), 1);
    assert_eq!(digests.file(&path).unwrap(), "remembered", "garbage collection keeps what still holds");
    let written = std::fs::metadata(&path).unwrap().modified().unwrap();
    let tick = SystemTime::now() + Duration::from_secs(5);
    while std::fs::metadata(&path).unwrap().ctime_nsec() == file.ctime_nsec() && SystemTime::now() < tick {
        std::fs::write(&path, b"other bytes").unwrap();
    }
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_times(FileTimes::new().set_modified(written))
        .unwrap();
    let after = digests.file(&path).unwrap();
    assert!(after != "remembered" && after != before);
}
