//! `--model ORG/NAME` against a stub hub on the loopback.

use crate::program::{Program, assert_names, ids, longsight};
use crate::video::clip;
use longsight_testkit::golden::checkpoint_dir;
use longsight_testkit::http::{Reply, Request, Server};
use std::path::Path;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The hub's listing of a folder's files, and the files.
fn hub_reply(folder: &Path, request: &Request) -> Reply {
    if request.path == "/api/models/lab/tiny/revision/main" {
        let files = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let siblings: Vec<String> = files.map(|name| format!(r#"{{"rfilename":"{name}"}}"#)).collect();
        return Reply::new(200, format!(r#"{{"sha":"{COMMIT}","siblings":[{}]}}"#, siblings.join(",")));
    }
    let name = request.path.strip_prefix(&format!("/lab/tiny/resolve/{COMMIT}/"));
    match name.map(|name| (name, std::fs::read(folder.join(name)))) {
        Some((name, Ok(content))) => {
            Reply::ranged(request, &content).with("X-Repo-Commit", COMMIT).with("ETag", format!("\"{name}\""))
        }
        _ => Reply::new(404, "no such file"),
    }
}

fn hub(case: &str) -> Server {
    let folder = checkpoint_dir(case);
    Server::start(move |request| hub_reply(&folder, request))
}

fn ask_hub(home: &Path, endpoint: &str) -> Program {
    let program =
        longsight("ask").arg(clip()).args("hi --model lab/tiny --frames 2 --max-new-tokens 4 --quiet");
    program.env("HF_HOME", home).env("HF_ENDPOINT", endpoint).env("HF_HUB_OFFLINE", "0").env("NO_PROXY", "*")
}

#[test]
fn a_model_is_downloaded_once_and_then_works_offline() {
    for case in ["d32-gqa-tied", "d64-mha-sharded"] {
        let home = tempfile::tempdir().unwrap();
        let server = hub(case);
        let first = ask_hub(home.path(), &server.address).json();
        let local = longsight("ask").arg(clip()).args("hi --frames 2 --max-new-tokens 4 --quiet --model");
        assert_eq!(ids(&first), ids(&local.arg(checkpoint_dir(case)).json()), "{case}");
        assert_eq!(first["model"], "lab/tiny");
        let asked = server.count("GET", "safetensors");
        assert!(asked > 0);
        let again = ask_hub(home.path(), &server.address).json();
        assert_eq!((ids(&again), server.count("GET", "safetensors")), (ids(&first), asked));
        let nobody = "http://127.0.0.1:9";
        let offline = ask_hub(home.path(), nobody).env("HF_HUB_OFFLINE", "1").json();
        assert_eq!(ids(&offline), ids(&first));
    }
}

#[test]
fn offline_with_an_empty_cache() {
    let home = tempfile::tempdir().unwrap();
    let message = ask_hub(home.path(), "http://127.0.0.1:9").env("HF_HUB_OFFLINE", "1").failure();
    assert_names(&message, &["lab/tiny", "offline", "HF_HUB_OFFLINE", home.path().to_str().unwrap()]);
}

#[test]
fn refusals_of_the_hub() {
    for (status, parts) in [
        (401, ["lab/tiny", "401", "HF_TOKEN"]),
        (403, ["lab/tiny", "licence", "HF_TOKEN"]),
        (404, ["lab/tiny", "404", "no such model"]),
    ] {
        let server = Server::start(move |_| Reply::new(status, ""));
        let home = tempfile::tempdir().unwrap();
        assert_names(&ask_hub(home.path(), &server.address).failure(), &parts);
        assert_eq!(server.count("GET", ""), 1);
    }
}

#[test]
fn a_disk_too_small_for_the_weights() {
    let folder = checkpoint_dir("d32-gqa-tied");
    let server = Server::start(move |request| match request.method.as_str() {
        "HEAD" => Reply::new(200, "").with("ETag", "\"e\"").with("X-Linked-Size", 1u64 << 60),
        _ => hub_reply(&folder, request),
    });
    let home = tempfile::tempdir().unwrap();
    let message = ask_hub(home.path(), &server.address).failure();
    assert_names(&message, &["disk full", "HF_HOME", home.path().to_str().unwrap()]);
}

#[test]
fn a_token_is_sent() {
    let server = hub("d32-gqa-tied");
    let home = tempfile::tempdir().unwrap();
    ask_hub(home.path(), &server.address).env("HF_TOKEN", "hf_secret").json();
    let asked = server.seen("GET", "");
    assert!(asked.iter().all(|request| request.header("authorization") == Some("Bearer hf_secret")));
}

#[test]
fn a_bad_video_is_refused_before_any_download() {
    let server = hub("d32-gqa-tied");
    let home = tempfile::tempdir().unwrap();
    let program = longsight("ask").args("none.mp4 hi --quiet --model lab/tiny").env("HF_HUB_OFFLINE", "0");
    let program = program.env("HF_HOME", home.path()).env("HF_ENDPOINT", &server.address);
    assert_names(&program.failure(), &["none.mp4"]);
    assert_eq!(server.count("GET", ""), 0);
}
