//! The messages of a request: what is shown, and who said what.

use super::fields::{OF_MESSAGES, OF_PARTS, take_neutral};
use crate::echo::echo;
use crate::error::{ApiError, ApiResult};
use longsight_models::processor::{Role, Turn};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Above any that is of use; the engine checks the rest.
const MAX_MESSAGES: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    role: Speaker,
    /// None where an answer had no text.
    content: Option<Value>,
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
    /// Of no meaning for frames, which have one size.
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

/// What the messages say together.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) visual: Visual,
    pub(crate) system: Option<String>,
    pub(crate) turns: Vec<Turn>,
    /// Whether words of the first turn stand before what it shows: models see it the other way round.
    pub(crate) words_first: bool,
}

/// Reads the messages of a request, of at most `most_text_bytes` of text.
///
/// # Errors
/// Messages that are not understood, or whose order no prompt would keep: a model is shown everything at the beginning of the
/// user's first turn.
pub(crate) fn conversation(messages: Vec<Map<String, Value>>, most_text_bytes: usize) -> ApiResult<Said> {
    if messages.len() > MAX_MESSAGES {
        return Err(wrong("too many messages"));
    }
    let mut reading = Reading::default();
    for (i, message) in messages.into_iter().enumerate() {
        reading.add(i, message)?;
    }
    let text_bytes: usize = reading.turns.iter().map(|turn| turn.content.len()).sum();
    let text_bytes = text_bytes + reading.system.as_ref().map_or(0, String::len);
    check_text_bytes(text_bytes, most_text_bytes, "messages")?;
    reading.said()
}

/// Refuses text before it is tokenised: what that takes grows with the text.
pub(crate) fn check_text_bytes(text_bytes: usize, most: usize, param: &str) -> ApiResult<()> {
    if text_bytes <= most {
        return Ok(());
    }
    let message = format!("{text_bytes} bytes of text are more than the {most} that this server allows");
    Err(ApiError::too_large(message).param(param).code("text_limit"))
}

fn wrong(message: &str) -> ApiError {
    ApiError::bad(message).param("messages")
}

#[derive(Default)]
struct Reading {
    videos: Vec<String>,
    images: Vec<String>,
    system: Option<String>,
    turns: Vec<Turn>,
    words_first: bool,
}

impl Reading {
    fn add(&mut self, i: usize, mut fields: Map<String, Value>) -> ApiResult<()> {
        take_neutral(&mut fields, OF_MESSAGES, &format!("messages[{i}]."))?;
        let message: Message = serde_json::from_value(Value::Object(fields))
            .map_err(|e| wrong(&format!("messages[{i}]: {}", echo(&e.to_string()))))?;
        let parts = parts(message.content.unwrap_or_default());
        let (mut text, mut shows, mut words) = (Vec::new(), false, false);
        for part in parts.map_err(|e| wrong(&format!("messages[{i}]: {e}")))? {
            let (url, of_video) = match part {
                Part::Text { text: piece } => {
                    words |= !piece.trim().is_empty();
                    text.push(piece);
                    continue;
                }
                Part::VideoUrl { video_url } => (video_url.url, true),
                Part::ImageUrl { image_url } => (image_url.url, false),
            };
            if of_video && self.videos.contains(&url) {
                continue; // shown already
            }
            self.check_place(message.role, shows && words)?;
            self.words_first |= words;
            (shows, words) = (true, false);
            if of_video { self.videos.push(url) } else { self.images.push(url) }
        }
        self.add_turn(message.role, text.join("\n"))
    }

    /// Refuses pictures where no prompt would keep their place.
    fn check_place(&self, speaker: Speaker, between_words: bool) -> ApiResult<()> {
        if speaker != Speaker::User || !self.turns.is_empty() {
            return Err(wrong(
                "pictures belong into the first message of the user: one prompt shows them once, there",
            ));
        }
        if between_words {
            return Err(wrong(
                "text between pictures would lose its place: give the pictures first, then the text",
            ));
        }
        Ok(())
    }

    fn add_turn(&mut self, speaker: Speaker, content: String) -> ApiResult<()> {
        let role = match speaker {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::System | Speaker::Developer if self.turns.is_empty() && self.system.is_none() => {
                self.system = Some(content);
                return Ok(());
            }
            Speaker::System | Speaker::Developer => {
                return Err(wrong("the system speaks once, before all others"));
            }
        };
        self.turns.push(Turn { role, content });
        Ok(())
    }

    fn said(self) -> ApiResult<Said> {
        let Self { videos, images, system, turns, words_first } = self;
        let alternate = turns.iter().enumerate().all(|(i, turn)| (turn.role == Role::User) == (i % 2 == 0));
        if !alternate || turns.len().is_multiple_of(2) {
            return Err(wrong("messages begin and end with the user, who alternates with the assistant"));
        }
        if turns.iter().any(|turn| turn.role == Role::User && turn.content.trim().is_empty()) {
            return Err(wrong("a question is empty"));
        }
        let (of_videos, of_images) = (videos.len(), images.len());
        let visual = match (videos.into_iter().next(), of_images) {
            (None, 0) => return Err(wrong("a question needs a video_url, or image_url parts as frames")),
            (None, _) => Visual::Images(images),
            (Some(_), 1..) => return Err(wrong("a video or images, not both")),
            (Some(_), 0) if of_videos > 1 => return Err(wrong("one video a conversation")),
            (Some(video), 0) => Visual::Video(video),
        };
        Ok(Said { visual, system, turns, words_first })
    }
}

/// The parts of a message's content.
fn parts(content: Value) -> Result<Vec<Part>, String> {
    const EXPECTED: &str = "content must be a string, or a list of text, video_url and image_url parts";
    match content {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::Text { text }]),
        Value::Array(parts) => parts
            .into_iter()
            .map(|part| {
                let Value::Object(mut fields) = part else { return Err(EXPECTED.to_owned()) };
                take_neutral(&mut fields, OF_PARTS, "").map_err(|e| e.message().to_owned())?;
                serde_json::from_value(Value::Object(fields))
                    .map_err(|e| format!("{EXPECTED}: {}", echo(&e.to_string())))
            })
            .collect(),
        _ => Err(EXPECTED.to_owned()),
    }
}

#[cfg(test)]
mod tests;
