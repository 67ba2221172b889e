//! Answers: the command line's own, streamed and whole, with progress and evidence; plans.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[test]
fn answers_are_the_command_lines_token_for_token() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    for (options, flags) in [
        (json!({}), ""),
        (
            json!({ "longsight": { "frames": 3, "context": "none", "pool": "uniform,2" } }),
            "--frames 3 --context none --pool uniform,2",
        ),
        (json!({ "longsight": { "from": 1, "to": "0:02.5", "scale": 3 } }), "--from 1 --to 0:02.5 --scale 3"),
        (
            json!({ "temperature": 0.9, "seed": 7, "max_tokens": 4 }),
            "--temperature 0.9 --seed 7 --max-new-tokens 4",
        ),
    ] {
        let expected = cli(flags);
        let whole = server.ask(&id, options.clone());
        assert_eq!(whole.status, 200, "{}", String::from_utf8_lossy(&whole.body));
        let whole = whole.json();
        assert_eq!(ids(&whole["longsight"]), ids(&expected), "{flags}");
        assert_eq!(whole["choices"][0]["message"]["content"], expected["answer"]);
        assert_eq!(whole["longsight"]["receipt"]["frames"], expected["receipt"]["frames"]);
        assert_eq!(whole["usage"]["prompt_tokens"], expected["receipt"]["tokens"]["prompt"]);
        let mut streamed = options.clone();
        streamed["stream"] = json!(true);
        streamed["stream_options"] = json!({ "include_usage": true });
        let chunks = chunks(&server.ask(&id, streamed));
        let text: String =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, expected["answer"].as_str().unwrap());
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        let usage = &chunks.last().unwrap()["usage"];
        assert_eq!(usage["total_tokens"], whole["usage"]["total_tokens"]);
        let finished = &chunks[chunks.len() - 2];
        assert_eq!(finished["choices"][0]["finish_reason"], whole["choices"][0]["finish_reason"]);
        assert_eq!(ids(&finished["longsight"]), ids(&expected));
    }
    // The same bytes in the request itself, and a second question of the same video: from the index.
    let data = format!("data:video/mp4;base64,{}", STANDARD.encode(clip_bytes()));
    let inline = server.ask(&data, json!({})).json();
    assert_eq!(ids(&inline["longsight"]), ids(&cli("")));
    assert_eq!(inline["longsight"]["receipt"]["index"]["kv_prefix"], "read");
    assert!(inline["longsight"]["receipt"]["timings"]["probe_secs"].as_f64().unwrap() > 0.0);
    assert!(inline["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64() > Some(0));
}

#[test]
fn an_image_url_stands_upright() {
    let server = Server::start("");
    let photo = format!("data:image/jpeg;base64,{}", STANDARD.encode(crate::pictures::photo(64, 32)));
    let content = json!([
        { "type": "image_url", "image_url": { "url": photo } },
        { "type": "text", "text": "What?" }
    ]);
    let body = json!({ "model": server.model(), "messages": [{ "role": "user", "content": content }] });
    let reply = server.post("/v1/chat/completions", &body);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let video = &reply.json()["longsight"]["receipt"]["video"];
    assert_eq!((&video["width"], &video["height"]), (&json!(32), &json!(64)));
}

#[test]
fn progress_evidence_and_a_conversation() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    let options = json!({ "stream": true, "longsight": { "evidence": true, "progress": true, "frames": 6 } });
    let chunks = chunks(&server.ask(&id, options));
    let stages: Vec<&str> =
        chunks.iter().filter_map(|chunk| chunk["longsight"]["progress"]["stage"].as_str()).collect();
    assert!(
        stages.contains(&"queue") && stages.contains(&"frames") && stages.contains(&"prompt"),
        "{stages:?}"
    );
    let last = &chunks.last().unwrap()["longsight"];
    assert_eq!(last["evidence"]["frame_scores"].as_array().unwrap().len(), 6);
    let moments = last["evidence"]["moments"].as_array().unwrap().len();
    assert_eq!(last["evidence"]["thumbnails"].as_array().unwrap().len(), moments);
    let said = "An answer.";
    let mut body = server.question(&id, json!({}));
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({ "role": "assistant", "content": said }));
    messages.push(json!({ "role": "user", "content": "And then?" }));
    let follow = server.post("/v1/chat/completions", &body).json();
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history.json");
    let turns =
        json!([{ "role": "user", "content": "What happens?" }, { "role": "assistant", "content": said }]);
    std::fs::write(&history, turns.to_string()).unwrap();
    let expected = longsight("ask")
        .arg(clip())
        .arg("And then?")
        .arg("--model")
        .arg(checkpoint_dir("d32-gqa-tied"))
        .args("--dtype f32 --quiet --max-new-tokens 6 --frames 4 --history")
        .arg(&history)
        .json();
    assert_eq!(ids(&follow["longsight"]), ids(&expected));
}

#[test]
fn a_plan_tells_what_the_receipt_will() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    let plan =
        server.post("/v1/plan", &json!({ "video": { "file_id": id }, "question": "What happens?" })).json();
    let receipt = server.ask(&id, json!({})).json()["longsight"]["receipt"].clone();
    assert_eq!(plan["tokens"]["prompt"], receipt["tokens"]["prompt"]);
    assert_eq!(plan["context"]["scale"], receipt["context"]["scale"]);
    assert_eq!(plan["frames"].as_array().unwrap().len(), receipt["frames"].as_array().unwrap().len());
    assert_eq!(receipt["video"]["source"], id);
    server.post("/v1/plan", &json!({ "video": { "file_id": "file-1" } })).refused(404);
    let page = server.get("/");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert_names(policy, &["default-src 'self'"]);
    let described = server.get("/openapi.json").json();
    assert!(described["paths"]["/v1/chat/completions"]["post"].is_object());
}
