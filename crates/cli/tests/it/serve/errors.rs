//! Each kind of the engine's errors that a request can meet: status, `param` and `code`.

use super::*;

/// The error's message, `param` and `code`.
#[track_caller]
fn refused(server: &Server, id: &str, more: Value) -> (String, Value, Value) {
    let reply = server.ask(id, more);
    let message = reply.refused(400);
    assert!(!message.contains("--"), "a request has no flags: {message}");
    let error = &reply.json()["error"];
    (message, error["param"].clone(), error["code"].clone())
}

#[test]
fn errors_name_the_fields_of_requests() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    for (more, param, code, said) in [
        (json!({ "top_p": 2 }), "top_p", Value::Null, "top_p must be above 0 and at most 1"),
        (json!({ "temperature": -1 }), "temperature", Value::Null, "temperature must be a number from 0 up"),
        (json!({ "max_tokens": 0 }), "max_tokens", Value::Null, "max_tokens must be at least 1"),
        (json!({ "longsight": { "frames": 0 } }), "longsight.frames", "video".into(), "0 frames"),
        (json!({ "longsight": { "fps": -1.0 } }), "longsight.fps", "video".into(), "frame rate"),
        (
            json!({ "longsight": { "from": 2, "to": 1 } }),
            "longsight.from",
            "video".into(),
            "longsight.from 0:00:02.000 is not before longsight.to 0:00:01.000",
        ),
        (json!({ "longsight": { "from": 100 } }), "longsight.from", "video".into(), "past the end"),
        (json!({ "longsight": { "scale": 0.5 } }), "longsight.scale", Value::Null, "scale"),
        (json!({ "longsight": { "dedupe": "x" } }), "longsight.dedupe", Value::Null, "0 to 255"),
    ] {
        let (message, named, coded) = refused(&server, &id, more);
        assert_eq!((named, coded), (param.into(), code), "{message}");
        assert_names(&message, &[said]);
    }
}

#[test]
fn too_little_memory_is_told_without_flags() {
    let server = Server::start("--memory 1MiB");
    let id = server.upload(&clip_bytes());
    let (message, _, code) = refused(&server, &id, json!({}));
    assert_eq!(code, "memory_limit");
    assert_names(&message, &["the server's memory", "not even one frame fits"]);
}
