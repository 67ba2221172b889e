//! A full disk, before and during a download, and a cache folder that cannot be one.

use longsight_hub::{HubError, NoProgress, resolve};

use crate::http::Reply;
use crate::stub::{MODEL, Repo, Stub};

#[test]
fn a_model_larger_than_the_disk_is_refused_before_the_download() {
    let stub = Stub::hub_quirk(Repo::single(), |request| {
        let big = request.method == "HEAD" && request.path.ends_with(".safetensors");
        big.then(|| Reply::new(200, "").with("ETag", "\"e\"").with("X-Linked-Size", 1u64 << 60))
    });
    let error = stub.resolve().unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, HubError::DiskFull { needed_bytes: Some(n), free_bytes: Some(_), .. } if n > 1 << 60),
        "{text}"
    );
    assert!(text.contains("HF_HOME") && text.contains("GiB needed") && text.contains("free"), "{text}");
    assert!(!text.contains('\n') && !text.contains("  "), "{text:?}");
    assert_eq!(stub.hub.count("GET", "model.safetensors"), 0);
}

/// Writes to /dev/full fail as writes to a full disk do.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_during_the_download_is_named() {
    let stub = Stub::new(Repo::single());
    let partial = stub.incomplete("model.safetensors");
    std::fs::create_dir_all(partial.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
    let error = stub.resolve().unwrap_err();
    let text = error.to_string();
    let HubError::DiskFull { folder, needed_bytes, .. } = error else { panic!("{text}") };
    assert_eq!((folder.as_path(), needed_bytes), (partial.parent().unwrap(), Some(600_000)));
    assert!(partial.symlink_metadata().is_ok(), "what is here stays for the resume");
    assert!(!stub.snapshot().join("model.safetensors").exists());
    assert_eq!(stub.storage.count("GET", ""), 1, "a full disk is no reason to ask again");
}

#[test]
fn a_cache_folder_that_is_a_file_is_named() {
    let stub = Stub::new(Repo::single());
    let mut settings = stub.settings();
    settings.cache_dir = stub.home.path().join("occupied");
    std::fs::write(&settings.cache_dir, "").unwrap();
    let error = resolve(MODEL, &settings, &NoProgress).unwrap_err();
    assert!(matches!(error, HubError::Io { .. }) && error.to_string().contains("occupied"), "{error}");
}
