//! A whole download: files, layout, token, second call, two at once.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use longsight_hub::{HubError, ModelSource, NoProgress, resolve};

use crate::http::{Reply, Server};
use crate::stub::{COMMIT, MODEL, Recorder, Repo, Stub, TOKEN, first, sha256};

#[test]
fn a_sharded_model_is_downloaded_into_the_shared_layout() {
    let stub = Stub::new(Repo::sharded());
    let folder = stub.resolve().unwrap();
    assert_eq!(folder.path, stub.snapshot());
    let source = ModelSource::Hub {
        repo: MODEL.to_owned(),
        revision: "main".to_owned(),
        commit: COMMIT.to_owned(),
        from_cache: false,
    };
    assert_eq!(folder.source, source);
    let mut names: Vec<_> =
        stub.snapshot().read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let wanted = [
        "config.json",
        "model-1.safetensors",
        "model-2.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ];
    assert_eq!(names, wanted);
    wanted.iter().for_each(|name| stub.assert_file(name));
    assert_eq!(std::fs::read_to_string(stub.repo_dir().join("refs/main")).unwrap(), COMMIT);
    if cfg!(unix) {
        let target = std::fs::read_link(stub.snapshot().join("model-1.safetensors")).unwrap();
        let sha = sha256(stub.repo.content("model-1.safetensors"));
        assert_eq!(target.to_str().unwrap(), format!("../../blobs/{sha}"));
    }
    let leftover = stub.repo_dir().join("blobs").read_dir().unwrap().flatten();
    assert!(!leftover.map(|e| e.file_name()).any(|n| n.to_str().unwrap().ends_with(".incomplete")));
}

#[test]
fn the_token_goes_to_the_endpoint_and_not_to_the_storage_host() {
    let stub = Stub::new(Repo::sharded());
    stub.resolve().unwrap();
    let bearer = format!("Bearer {TOKEN}");
    let to_hub = [stub.hub.seen("GET", ""), stub.hub.seen("HEAD", "")].concat();
    assert!(!to_hub.is_empty() && to_hub.iter().all(|r| r.header("authorization") == Some(&bearer)));
    let to_storage = stub.storage.seen("GET", "/blob/");
    assert_eq!(to_storage.len(), 2);
    assert!(to_storage.iter().all(|r| r.header("authorization").is_none()));
    assert_eq!(stub.storage.count("HEAD", ""), 0);
}

#[test]
fn a_renamed_model_is_followed_within_the_endpoint_with_the_token() {
    let stub = Stub::hub_quirk(Repo::single(), |request| {
        let rest = request.path.strip_prefix("/api/models/lab/old/")?;
        Some(Reply::new(307, "").with("Location", format!("/api/models/{MODEL}/{rest}")))
    });
    let result = resolve("lab/old", &stub.settings(), &NoProgress);
    // The listing was found under the new name; the old name's files are not there in this stub.
    assert!(matches!(result, Err(HubError::MissingFile { .. })), "{result:?}");
    let listing = stub.hub.seen("GET", "/api/models/lab/tiny/");
    assert_eq!(listing.len(), 1);
    assert!(listing.iter().all(|r| r.header("authorization").is_some()));
}

#[test]
fn a_second_call_downloads_nothing() {
    let stub = Stub::new(Repo::sharded());
    let before = stub.resolve().unwrap();
    let (heads, blobs) = (stub.hub.count("HEAD", ""), stub.storage.count("GET", ""));
    assert_eq!(stub.resolve().unwrap(), before);
    assert_eq!((stub.hub.count("HEAD", ""), stub.storage.count("GET", "")), (heads, blobs));
    assert_eq!(stub.hub.count("GET", "/api/"), 2);
}

#[test]
fn a_blob_that_is_here_already_is_only_linked() {
    let stub = Stub::new(Repo::single());
    stub.resolve().unwrap();
    std::fs::remove_file(stub.snapshot().join("model.safetensors")).unwrap();
    stub.resolve().unwrap();
    stub.assert_file("model.safetensors");
    assert_eq!(stub.storage.count("GET", ""), 1);
}

#[test]
fn progress_counts_every_byte() {
    let stub = Stub::new(Repo::single());
    let recorder = Recorder::default();
    resolve(MODEL, &stub.settings(), &recorder).unwrap();
    let lines = ["start config.json Some(2) 0", "finish", "start model.safetensors Some(600000) 0", "finish"];
    assert_eq!(*recorder.lines.lock().unwrap(), lines);
    assert_eq!(*recorder.bytes.lock().unwrap(), 600_002);
}

#[test]
fn two_at_once_download_once() {
    let heads = Arc::new((Mutex::new(0), Condvar::new()));
    let (counted, awaited) = (heads.clone(), heads);
    let stub = Stub::with_quirks(
        Repo::single(),
        Box::new(move |request| {
            if request.method == "HEAD" && request.path.ends_with("model.safetensors") {
                *counted.0.lock().unwrap() += 1;
                counted.1.notify_all();
            }
            None
        }),
        // The first download waits until the other caller is about to start its own.
        Box::new(move |_| {
            let count = awaited.0.lock().unwrap();
            let (_count, late) =
                awaited.1.wait_timeout_while(count, Duration::from_secs(20), |c| *c < 2).unwrap();
            late.timed_out().then(|| Reply::new(400, "the second caller never came"))
        }),
    );
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| stub.resolve()), scope.spawn(|| stub.resolve())];
        both.into_iter().for_each(|one| drop(one.join().unwrap().unwrap()));
    });
    stub.assert_file("model.safetensors");
    assert_eq!(stub.storage.count("GET", ""), 1);
}

#[test]
fn a_storage_host_that_refuses_once_is_asked_by_a_fresh_address() {
    let refuse = first(1);
    let stub = Stub::storage_quirk(Repo::single(), move |_| refuse().then(|| Reply::new(403, "expired")));
    stub.resolve().unwrap();
    stub.assert_file("model.safetensors");
    assert_eq!(stub.hub.count("GET", "model.safetensors"), 2);
}

#[test]
fn a_folder_is_used_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let settings = crate::stub::settings(dir.path(), "http://127.0.0.1:9");
    let result = resolve(path, &settings, &NoProgress);
    assert!(matches!(&result, Err(HubError::NoConfig { path: p }) if p == dir.path()), "{result:?}");
    std::fs::write(dir.path().join("config.json"), "{}").unwrap();
    let folder = resolve(path, &settings, &NoProgress).unwrap();
    assert_eq!((folder.path.as_path(), folder.source), (dir.path(), ModelSource::Local));
    let file = dir.path().join("config.json");
    let result = resolve(file.to_str().unwrap(), &settings, &NoProgress);
    assert!(matches!(result, Err(HubError::NotAFolder { .. })), "{result:?}");
}

#[test]
fn a_revision_after_the_at_sign_is_asked_for_and_noted() {
    let commit = COMMIT;
    let hub = Server::start(move |request| match request.path.as_str() {
        "/api/models/lab/tiny/revision/refs%2Fpr%2F1" => Reply::new(
            200,
            format!(
                r#"{{"sha":"{commit}","siblings":[{{"rfilename":"config.json"}},{{"rfilename":"model.safetensors"}}]}}"#
            ),
        ),
        _ => Reply::new(200, "{}").with("ETag", "\"e1\""),
    });
    let home = tempfile::tempdir().unwrap();
    let settings = crate::stub::settings(home.path(), &hub.address);
    let folder = resolve("lab/tiny@refs/pr/1", &settings, &NoProgress).unwrap();
    assert!(matches!(folder.source, ModelSource::Hub { revision, .. } if revision == "refs/pr/1"));
    let noted = home.path().join("hub/models--lab--tiny/refs/refs/pr/1");
    assert_eq!(std::fs::read_to_string(noted).unwrap(), COMMIT);
}
