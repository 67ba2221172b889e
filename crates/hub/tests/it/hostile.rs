//! A server that tries to write outside the cache.

use longsight_hub::HubError;

use crate::http::Reply;
use crate::stub::{Repo, Stub};

fn assert_nothing_written(stub: &Stub) {
    let stray: Vec<_> = stub.home.path().read_dir().unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(stray.is_empty() || stray == ["hub"], "{stray:?}");
    assert!(!stub.snapshot().join("model.safetensors").exists());
}

#[test]
fn file_names_that_leave_the_folder_are_refused() {
    for bad in [
        "/etc/config.json",
        "../../config.json",
        "..\\config.json",
        "a\n_processor.json",
        "C:config.json",
        "x/../merges.txt",
    ] {
        let stub = Stub::new(Repo::single().file(bad, "{}"));
        let result = stub.resolve();
        assert!(
            matches!(&result, Err(HubError::UnsafeFileName { name, .. }) if name == bad),
            "{bad:?}: {result:?}"
        );
        assert!(!result.unwrap_err().to_string().contains('\n'));
        assert_eq!(stub.hub.count("HEAD", ""), 0);
        assert_nothing_written(&stub);
    }
}

#[test]
fn shard_names_that_leave_the_folder_are_refused() {
    for bad in ["../x.safetensors", "/x.safetensors", "a\\\\x.safetensors"] {
        let index = format!(r#"{{"weight_map":{{"a":"{bad}"}}}}"#);
        let repo =
            Repo { files: Vec::new() }.file("config.json", "{}").file("model.safetensors.index.json", index);
        let stub = Stub::new(repo);
        let result = stub.resolve();
        assert!(matches!(result, Err(HubError::UnsafeFileName { .. })), "{bad:?}: {result:?}");
    }
}

#[test]
fn blob_names_that_leave_the_folder_are_refused() {
    for bad in ["\"../../x\"", "/x", "\"\"", "\".\"", "a\\b"] {
        let stub = Stub::hub_quirk(Repo::single(), move |request| {
            (request.method == "HEAD").then(|| Reply::new(200, "{}").with("ETag", bad))
        });
        let result = stub.resolve();
        assert!(matches!(result, Err(HubError::BadAnswer { .. })), "{bad:?}: {result:?}");
        assert_nothing_written(&stub);
    }
}

#[test]
fn a_file_without_an_etag_or_with_a_mad_size_is_refused() {
    let head = |reply: Reply| {
        Stub::hub_quirk(Repo::single(), move |request| (request.method == "HEAD").then(|| reply.clone()))
    };
    let no_etag = head(Reply::new(200, "{}"));
    assert!(matches!(no_etag.resolve(), Err(HubError::BadAnswer { .. })));
    let mad_size = head(Reply::new(200, "{}").with("ETag", "\"e\"").with("X-Linked-Size", "-1"));
    assert!(matches!(mad_size.resolve(), Err(HubError::BadAnswer { .. })));
    let other_commit =
        head(Reply::new(200, "{}").with("ETag", "\"e\"").with("X-Repo-Commit", "f".repeat(40)));
    assert!(matches!(other_commit.resolve(), Err(HubError::BadAnswer { .. })));
}
