//! Broken connections, and servers that resume, refuse to, or lie.

use std::time::Duration;

use longsight_hub::{HubError, NoProgress, resolve};

use crate::http::Reply;
use crate::stub::{MODEL, Recorder, Repo, Stub, first, sha256};

const WEIGHTS: &str = "model.safetensors";

#[test]
fn a_cut_connection_is_resumed_where_it_was_cut() {
    let cut = first(1);
    let content = Repo::single().content(WEIGHTS).to_vec();
    let stub = Stub::storage_quirk(Repo::single(), move |_| {
        cut().then(|| Reply::new(200, content.clone()).cut_at(250_000))
    });
    let recorder = Recorder::default();
    resolve(MODEL, &stub.settings(), &recorder).unwrap();
    stub.assert_file(WEIGHTS);
    let ranges: Vec<_> =
        stub.storage.seen("GET", "").iter().map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=250000-".to_owned())]);
    assert_eq!(*recorder.bytes.lock().unwrap(), 600_002);
    assert!(recorder.lines.lock().unwrap().contains(&format!("start {WEIGHTS} Some(600000) 250000")));
}

#[test]
fn many_cuts_are_survived_as_long_as_bytes_come_in() {
    let stub = Stub::storage_quirk(Repo::single(), |request| {
        let content = Repo::single().content(WEIGHTS).to_vec();
        let reply = Reply::ranged(request, &content);
        let end = reply.body.len().min(100_000);
        Some(reply.cut_at(end))
    });
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
    assert_eq!(stub.storage.count("GET", ""), 6);
}

#[test]
fn a_server_that_never_sends_a_byte_is_given_up_and_the_partial_file_stays() {
    let stub = Stub::storage_quirk(Repo::single(), |_| {
        Some(
            Reply::new(206, "")
                .with("Content-Length", 590_000)
                .with("Content-Range", "bytes 10000-599999/600000"),
        )
    });
    let start = stub.repo.content(WEIGHTS)[..10_000].to_vec();
    stub.leave_partial(WEIGHTS, &start);
    let result = stub.resolve();
    assert!(matches!(result, Err(HubError::Broken { .. })), "{result:?}");
    assert_eq!(stub.storage.count("GET", ""), 3);
    assert_eq!(std::fs::read(stub.incomplete(WEIGHTS)).unwrap(), start);
}

#[test]
fn a_partial_file_of_an_earlier_run_is_resumed() {
    let stub = Stub::new(Repo::single());
    stub.leave_partial(WEIGHTS, &stub.repo.content(WEIGHTS)[..599_999]);
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
    assert_eq!(stub.storage.seen("GET", "")[0].header("range"), Some("bytes=599999-"));
}

#[test]
fn a_text_file_is_resumed_too() {
    let stub = Stub::new(Repo::single().file("tokenizer.json", "{\"a\": 1}"));
    let etag = &sha256(stub.repo.content("tokenizer.json"))[..40];
    let blobs = stub.repo_dir().join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(format!("{etag}.incomplete")), "{\"a").unwrap();
    stub.resolve().unwrap();
    stub.assert_file("tokenizer.json");
    assert_eq!(stub.hub.seen("GET", "tokenizer.json")[0].header("range"), Some("bytes=3-"));
}

#[test]
fn a_complete_partial_file_is_checked_and_used_without_a_download() {
    let stub = Stub::new(Repo::single());
    stub.leave_partial(WEIGHTS, stub.repo.content(WEIGHTS));
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
    assert_eq!(stub.storage.count("GET", ""), 0);
}

#[test]
fn a_partial_file_that_is_too_long_starts_again() {
    let stub = Stub::new(Repo::single());
    stub.leave_partial(WEIGHTS, &[7; 600_001]);
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
    assert_eq!(stub.storage.seen("GET", "")[0].header("range"), None);
}

#[test]
fn a_server_that_ignores_range_starts_again() {
    let content = Repo::single().content(WEIGHTS).to_vec();
    let stub = Stub::storage_quirk(Repo::single(), move |_| Some(Reply::new(200, content.clone())));
    stub.leave_partial(WEIGHTS, &stub.repo.content(WEIGHTS)[..1000]);
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
    assert_eq!(stub.storage.count("GET", ""), 1);
}

#[test]
fn another_range_than_the_one_asked_for_starts_again() {
    let lie = first(1);
    let stub = Stub::storage_quirk(Repo::single(), move |_| {
        lie().then(|| Reply::new(206, "x").with("Content-Range", "bytes 5-5/600000"))
    });
    stub.leave_partial(WEIGHTS, &stub.repo.content(WEIGHTS)[..1000]);
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
    assert_eq!(stub.storage.seen("GET", "")[1].header("range"), None);
}

#[test]
fn a_range_that_cannot_be_served_starts_again() {
    let refuse = first(1);
    let stub = Stub::storage_quirk(Repo::single(), move |_| refuse().then(|| Reply::new(416, "")));
    stub.leave_partial(WEIGHTS, &stub.repo.content(WEIGHTS)[..1000]);
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
}

#[test]
fn corrupted_content_is_refused_and_leaves_nothing() {
    let mut content = Repo::single().content(WEIGHTS).to_vec();
    content[300_000] ^= 1;
    let stub = Stub::storage_quirk(Repo::single(), move |_| Some(Reply::new(200, content.clone())));
    let error = stub.resolve().unwrap_err();
    assert!(matches!(&error, HubError::Mismatch { measure: "sha256", .. }), "{error}");
    assert!(error.to_string().contains(WEIGHTS) && !error.to_string().contains('\n'));
    assert!(!stub.snapshot().join(WEIGHTS).exists());
    assert!(!stub.incomplete(WEIGHTS).exists());
    assert!(!stub.repo_dir().join("refs/main").exists());
}

#[test]
fn a_partial_file_with_other_bytes_is_caught_by_the_checksum() {
    let stub = Stub::new(Repo::single());
    stub.leave_partial(WEIGHTS, &[7; 1000]);
    let result = stub.resolve();
    assert!(matches!(result, Err(HubError::Mismatch { measure: "sha256", .. })), "{result:?}");
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
}

#[test]
fn more_bytes_than_promised_are_refused() {
    let stub = Stub::storage_quirk(Repo::single(), |_| Some(Reply::new(200, vec![1; 700_000])));
    let result = stub.resolve();
    assert!(matches!(result, Err(HubError::Mismatch { measure: "size", .. })), "{result:?}");
    assert!(!stub.incomplete(WEIGHTS).exists());
}

#[test]
fn a_file_whose_size_nobody_tells_is_resumed_by_the_416_answer() {
    // HEAD without a length: the range request alone says that everything is here.
    let stub = Stub::hub_quirk(Repo::single(), |request| {
        let unsized_head = request.method == "HEAD" && request.path.ends_with(WEIGHTS);
        let sha = sha256(Repo::single().content(WEIGHTS));
        unsized_head
            .then(|| Reply::new(302, "").with("Location", "http://127.0.0.1:9/x").with("X-Linked-Etag", sha))
    });
    stub.leave_partial(WEIGHTS, stub.repo.content(WEIGHTS));
    stub.resolve().unwrap();
    stub.assert_file(WEIGHTS);
    assert_eq!(stub.storage.seen("GET", "")[0].header("range"), Some("bytes=600000-"));
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let (hold, release) = std::sync::mpsc::channel::<()>();
    let release = std::sync::Mutex::new(release);
    let stub = Stub::hub_quirk(Repo::single(), move |_| {
        let _ = release.lock().unwrap().recv();
        None
    });
    let mut settings = stub.settings();
    settings.patience.attempts = 1;
    settings.patience.idle_timeout = Duration::from_millis(50);
    let result = resolve(MODEL, &settings, &NoProgress);
    assert!(matches!(result, Err(HubError::UnreachableAndNotCached { .. })), "{result:?}");
    drop(hold);
}
