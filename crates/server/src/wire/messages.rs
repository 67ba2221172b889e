//! The messages of a request: what is shown, and who said what.

use crate::error::{ApiError, ApiResult};
use longsight_models::processor::{Role, Turn};
use serde::Deserialize;

/// Above any that is of use; the engine checks the rest.
const MAX_MESSAGES: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    role: Speaker,
    content: Content,
    #[serde(rename = "name")]
    _name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    System,
    Developer,
    User,
    Assistant,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "content must be a string, or a list of text, video_url and image_url parts")]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Part {
    Text { text: String },
    VideoUrl { video_url: Address },
    ImageUrl { image_url: Address },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    url: String,
    #[serde(rename = "detail")]
    _detail: Option<String>,
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visual {
    /// A file id or an address.
    Video(String),
    /// The same for each frame.
    Images(Vec<String>),
}

/// What is shown, the system's words, and the turns.
pub(crate) fn conversation(messages: Vec<Message>) -> ApiResult<(Visual, Option<String>, Vec<Turn>)> {
    let wrong = |message: &str| ApiError::bad(message).param("messages");
    if messages.len() > MAX_MESSAGES {
        return Err(wrong("too many messages"));
    }
    let (mut system, mut turns) = (None, Vec::<Turn>::new());
    let (mut videos, mut images) = (Vec::<String>::new(), Vec::new());
    for message in messages {
        let mut text = Vec::new();
        let parts = match message.content {
            Content::Text(text) => vec![Part::Text { text }],
            Content::Parts(parts) => parts,
        };
        for part in parts {
            match part {
                Part::Text { text: piece } => text.push(piece),
                Part::VideoUrl { video_url } if !videos.contains(&video_url.url) => {
                    videos.push(video_url.url)
                }
                Part::VideoUrl { .. } => (),
                Part::ImageUrl { image_url } => images.push(image_url.url),
            }
        }
        let content = text.join("\n");
        let role = match message.role {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::System | Speaker::Developer if turns.is_empty() && system.is_none() => {
                system = Some(content);
                continue;
            }
            Speaker::System | Speaker::Developer => {
                return Err(wrong("the system speaks once, before all others"));
            }
        };
        turns.push(Turn { role, content });
    }
    let alternate = turns.iter().enumerate().all(|(i, turn)| (turn.role == Role::User) == (i % 2 == 0));
    if !alternate || turns.len().is_multiple_of(2) {
        return Err(wrong("messages begin and end with the user, who alternates with the assistant"));
    }
    if turns.iter().any(|turn| turn.role == Role::User && turn.content.trim().is_empty()) {
        return Err(wrong("a question is empty"));
    }
    let visual = match (&videos[..], images.is_empty()) {
        ([], true) => return Err(wrong("a question needs a video_url, or image_url parts as frames")),
        ([video], true) => Visual::Video(video.clone()),
        ([], false) => Visual::Images(images),
        ([_], false) => return Err(wrong("a video or images, not both")),
        _ => return Err(wrong("one video a conversation")),
    };
    Ok((visual, system, turns))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(messages: Value) -> Result<(Visual, Option<String>, Vec<Turn>), String> {
        let messages = serde_json::from_value(messages).map_err(|e| e.to_string())?;
        conversation(messages).map_err(|e| e.to_json()["error"]["message"].as_str().unwrap().to_owned())
    }

    fn video(url: &str) -> Value {
        json!({ "type": "video_url", "video_url": { "url": url } })
    }

    #[test]
    fn a_conversation_is_read_with_its_video() {
        let (visual, system, turns) = read(json!([
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

    #[test]
    fn images_are_frames_in_their_order() {
        let image = |url: &str| json!({ "type": "image_url", "image_url": { "url": url, "detail": "low" } });
        let content = json!([image("b"), image("a"), image("b"), { "type": "text", "text": "What?" }]);
        let (visual, ..) = read(json!([{ "role": "user", "content": content }])).unwrap();
        assert_eq!(visual, Visual::Images(vec!["b".into(), "a".into(), "b".into()]));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
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
}
