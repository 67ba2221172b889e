//! Without a network: a complete copy is used, anything less is one clear error.

use std::net::TcpListener;

use longsight_hub::{HubError, HubSettings, ModelSource, NoProgress, resolve};

use crate::http::Reply;
use crate::stub::{COMMIT, MODEL, Repo, Stub, settings};

fn offline(stub: &Stub) -> HubSettings {
    HubSettings { offline: true, endpoint: "http://127.0.0.1:9".to_owned(), ..stub.settings() }
}

/// An endpoint where nobody listens.
fn refusing(stub: &Stub) -> HubSettings {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    HubSettings { endpoint: format!("http://{free}"), ..stub.settings() }
}

#[test]
fn a_complete_cache_is_used_offline_and_says_so() {
    let stub = Stub::new(Repo::sharded());
    let online = stub.resolve().unwrap();
    for settings in [offline(&stub), refusing(&stub)] {
        let folder = resolve(MODEL, &settings, &NoProgress).unwrap();
        assert_eq!(folder.path, online.path);
        assert!(
            matches!(folder.source, ModelSource::Hub { from_cache: true, commit, .. } if commit == COMMIT)
        );
        let pinned = resolve(&format!("{MODEL}@{COMMIT}"), &settings, &NoProgress).unwrap();
        assert_eq!(pinned.path, online.path);
    }
}

#[test]
fn a_hub_in_trouble_does_not_hinder_a_complete_cache() {
    let stub = Stub::new(Repo::single());
    stub.resolve().unwrap();
    let broken = Stub::hub_quirk(Repo::single(), |_| Some(Reply::new(503, "")));
    let settings = HubSettings { endpoint: broken.hub.address.clone(), ..stub.settings() };
    let folder = resolve(MODEL, &settings, &NoProgress).unwrap();
    assert!(matches!(folder.source, ModelSource::Hub { from_cache: true, .. }));
}

#[test]
fn an_empty_cache_offline_says_how_to_get_the_model() {
    let home = tempfile::tempdir().unwrap();
    let settings = HubSettings { offline: true, ..settings(home.path(), "http://127.0.0.1:9") };
    let error = resolve(MODEL, &settings, &NoProgress).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, HubError::Offline { .. }), "{text}");
    assert!(
        text.contains(MODEL) && text.contains("whole model") && text.contains("HF_HUB_OFFLINE"),
        "{text}"
    );
    assert!(!text.contains('\n') && !text.contains("  "), "{text:?}");
    assert_eq!(home.path().read_dir().unwrap().count(), 0, "nothing is written offline");
}

#[test]
fn a_lost_shard_is_named_offline() {
    let stub = Stub::new(Repo::sharded());
    stub.resolve().unwrap();
    std::fs::remove_file(stub.snapshot().join("model-2.safetensors")).unwrap();
    let text = resolve(MODEL, &offline(&stub), &NoProgress).unwrap_err().to_string();
    assert!(text.contains("model-2.safetensors"), "{text}");
    std::fs::remove_file(stub.snapshot().join("config.json")).unwrap();
    let text = resolve(MODEL, &offline(&stub), &NoProgress).unwrap_err().to_string();
    assert!(text.contains("config.json and 1 more"), "{text}");
}

#[test]
fn nobody_listening_and_nothing_cached_names_the_connection() {
    let stub = Stub::new(Repo::single());
    let settings = refusing(&stub);
    let error = resolve(MODEL, &settings, &NoProgress).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, HubError::UnreachableAndNotCached { .. }), "{text}");
    let host = settings.endpoint.trim_start_matches("http://");
    assert!(text.contains(host) && text.contains("HF_ENDPOINT") && !text.contains('\n'), "{text}");
}

#[test]
fn an_interrupted_newer_revision_leaves_the_older_one_usable() {
    let stub = Stub::new(Repo::single());
    stub.resolve().unwrap();
    let newer = COMMIT.replace('0', "f");
    let sha = newer.clone();
    let moved = Stub::hub_quirk(Repo::single(), move |request| match request.method.as_str() {
        "GET" => Some(Reply::new(
            200,
            format!(
                r#"{{"sha":"{sha}","siblings":[{{"rfilename":"config.json"}},{{"rfilename":"model.safetensors"}}]}}"#
            ),
        )),
        _ => Some(Reply::new(404, "")),
    });
    let settings = HubSettings { endpoint: moved.hub.address.clone(), ..stub.settings() };
    assert!(resolve(MODEL, &settings, &NoProgress).is_err());
    let folder = resolve(MODEL, &offline(&stub), &NoProgress).unwrap();
    assert_eq!(folder.path, stub.snapshot());
}
