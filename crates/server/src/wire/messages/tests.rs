#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::{Value, json};

fn read(messages: Value) -> Result<Said, String> {
    let messages = serde_json::from_value(messages).map_err(|e| e.to_string())?;
    conversation(messages, 1000).map_err(|e| e.message().to_owned())
}

fn video(url: &str) -> Value {
    json!({ "type": "video_url", "video_url": { "url": url } })
}

#[test]
fn a_conversation_is_read_with_its_video() {
    let Said { visual, system, turns, .. } = read(json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": [video("file-1"), { "type": "text", "text": "What?" }] },
        { "role": "assistant", "content": "A cat." },
        { "role": "user", "content": [video("file-1"), { "type": "text", "text": "Where?" }] },
    ]))
    .unwrap();
    assert_eq!((visual, system.as_deref()), (Visual::Video("file-1".into()), Some("Be brief.")));
    let said: Vec<&str> = turns.iter().map(|turn| turn.content.as_str()).collect();
    assert_eq!(said, ["What?", "A cat.", "Where?"]);
}

fn image(url: &str) -> Value {
    json!({ "type": "image_url", "image_url": { "url": url, "detail": "low" } })
}

fn text(words: &str) -> Value {
    json!({ "type": "text", "text": words })
}

#[test]
fn images_are_frames_in_their_order() {
    let content = json!([image("b"), image("a"), image("b"), { "type": "text", "text": "What?" }]);
    let said = read(json!([{ "role": "user", "content": content }])).unwrap();
    assert_eq!(said.visual, Visual::Images(vec!["b".into(), "a".into(), "b".into()]));
}

#[test]
fn order_and_turn_of_parts_are_kept_or_refused() {
    let user = |parts: Value| json!({ "role": "user", "content": parts });
    let said = |answer: &str| json!({ "role": "assistant", "content": answer });
    let first = read(json!([user(json!([image("a"), text("What?")]))])).unwrap();
    let last = read(json!([user(json!([text("What?"), image("a")]))])).unwrap();
    assert!(!first.words_first && last.words_first, "a receipt tells that the words come after");
    assert_eq!(first.turns, last.turns);
    let turns = |one: Value, other: Value| json!([user(one), said("x"), user(other)]);
    for (messages, part) in [
        (
            turns(json!([image("a"), text("What?")]), json!([image("b"), text("And?")])),
            "first message of the user",
        ),
        (turns(json!([text("Hi")]), json!([image("a"), text("What?")])), "first message of the user"),
        (turns(json!([text("Hi")]), json!([video("a"), text("What?")])), "first message of the user"),
        (
            json!([{ "role": "system", "content": [image("a")] }, user(json!([text("x")]))]),
            "first message of the user",
        ),
        (
            json!([user(json!([image("a"), text("then"), image("b"), text("What?")]))]),
            "text between pictures",
        ),
        (json!([user(json!([text("one"), image("a"), text("then"), image("b")]))]), "text between pictures"),
    ] {
        let error = read(messages).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let again = turns(json!([video("a"), text("What?")]), json!([video("a"), text("And?")]));
    assert_eq!(read(again).unwrap().visual, Visual::Video("a".into()), "the same video, mentioned again");
}

#[test]
fn an_answer_is_accepted_as_clients_send_it_back() {
    for answer in [
        json!({ "role": "assistant", "content": "A cat." }),
        json!({ "role": "assistant", "content": "A cat.", "refusal": "", "annotations": [], "tool_calls": [] }),
        json!({ "role": "assistant", "content": [text("A cat.")], "name": "x" }),
    ] {
        let messages = json!([{ "role": "user", "content": [video("a"), text("What?")] }, answer,
            { "role": "user", "content": "Where?" }]);
        assert_eq!(read(messages).unwrap().turns[1].content, "A cat.");
    }
    let called = json!([{ "role": "user", "content": [video("a"), text("What?")] },
        { "role": "assistant", "tool_calls": [{ "id": "1" }] }, { "role": "user", "content": "Where?" }]);
    assert_eq!(read(called).unwrap_err(), "`messages[1].tool_calls` is not supported here; leave it out");
}

#[test]
fn text_is_limited_before_it_is_tokenised() {
    let messages =
        |bytes: usize| json!([{ "role": "user", "content": [video("a"), text(&"x".repeat(bytes))] }]);
    assert!(read(messages(1000)).is_ok());
    assert!(read(messages(1001)).unwrap_err().contains("1001 bytes of text"));
}

#[test]
fn what_is_invalid_is_named() {
    let user = |content: Value| json!([{ "role": "user", "content": content }]);
    for (messages, part) in [
        (json!([]), "begin and end with the user"),
        (user(json!("What?")), "needs a video_url"),
        (user(json!([video("a"), video("b"), { "type": "text", "text": "What?" }])), "one video"),
        (user(json!([video("a")])), "is empty"),
        (json!([{ "role": "assistant", "content": "x" }]), "begin and end with the user"),
        (user(json!([{ "type": "audio_url", "text": "x" }])), "list of text, video_url"),
        (json!([{ "role": "user", "content": "x", "colour": 1 }]), "unknown field"),
    ] {
        let error = read(messages).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
