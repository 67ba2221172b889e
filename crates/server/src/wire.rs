//! Types of the API. Unknown fields are refused: a setting that is not understood must not be ignored in silence.

use crate::error::{ApiError, ApiResult};
use crate::state::App;
use longsight_engine::{EvidenceSettings, RunSettings};
use longsight_models::processor::{Role, Turn};
use longsight_video::{FrameBudget, MediaTime};
use serde::Deserialize;
use serde_json::Value;

/// Above any that is of use; the engine checks the rest.
const MAX_MESSAGES: usize = 1000;

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    messages: Vec<Message>,
    #[serde(default)]
    pub(crate) stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    seed: Option<u64>,
    #[serde(default)]
    pub(crate) longsight: Options,
    // Taken where they ask for what happens anyway; see `check_unsupported`.
    n: Option<u32>,
    stop: Option<Value>,
    tools: Option<Vec<Value>>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    response_format: Option<ResponseFormat>,
    #[serde(rename = "user")]
    _user: Option<String>,
    #[serde(rename = "metadata")]
    _metadata: Option<Value>,
    store: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
    #[serde(rename = "include_obfuscation")]
    _include_obfuscation: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ResponseFormat {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
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

/// The `longsight` object of requests: the flags of `longsight ask`, under the same names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    frames: Option<usize>,
    fps: Option<f64>,
    max_frames: Option<usize>,
    from: Option<Clock>,
    to: Option<Clock>,
    context: Option<String>,
    scale: Option<Value>,
    pool: Option<String>,
    dedupe: Option<Value>,
    /// List the moments that the answer rests on.
    evidence: bool,
    moments: Option<usize>,
    /// Stream progress, as chunks without choices.
    pub(crate) progress: bool,
}

/// Seconds, or a time as the command line takes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a time must be seconds, or a text such as 1:23:45")]
enum Clock {
    Secs(f64),
    Text(String),
}

/// The body of `POST /v1/plan`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanRequest {
    pub(crate) video: PlanVideo,
    #[serde(default)]
    pub(crate) question: String,
    #[serde(default)]
    pub(crate) longsight: Options,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanVideo {
    pub(crate) file_id: String,
}

/// The body of `POST /v1/uploads`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadRequest {
    pub(crate) filename: String,
    pub(crate) bytes: u64,
    #[serde(default)]
    pub(crate) purpose: Option<String>,
    #[serde(rename = "mime_type")]
    _mime_type: Option<String>,
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visual {
    /// A file id or an address.
    Video(String),
    /// The same for each frame.
    Images(Vec<String>),
}

/// A request, understood.
pub(crate) struct Conversation {
    pub(crate) visual: Visual,
    pub(crate) turns: Vec<Turn>,
    pub(crate) run: RunSettings,
    pub(crate) frames_chosen: bool,
    pub(crate) include_usage: bool,
}

impl ChatRequest {
    /// Resolves the request over the server's own settings.
    pub(crate) fn resolve(self, app: &App) -> ApiResult<Conversation> {
        self.check_unsupported()?;
        self.check_agreement()?;
        if self.model != app.settings.model_name {
            return Err(ApiError::not_found(format!(
                "there is no model `{}`; this server has `{}`",
                self.model, app.settings.model_name
            ))
            .param("model")
            .code("model_not_found"));
        }
        let mut run = self.longsight.resolve(app)?;
        let generation = &mut run.generation;
        generation.temperature = self.temperature.unwrap_or(generation.temperature);
        generation.top_p = self.top_p.unwrap_or(generation.top_p);
        generation.seed = self.seed.unwrap_or(generation.seed);
        if let Some(tokens) = self.max_completion_tokens.or(self.max_tokens) {
            let most = app.settings.limits.answer_tokens;
            if tokens > most {
                let message = format!("{tokens} tokens are more than the {most} of an answer here");
                return Err(ApiError::bad(message).param("max_tokens"));
            }
            generation.max_new_tokens = tokens;
        }
        let (visual, system, turns) = conversation(self.messages)?;
        if system.is_some() {
            run.prompt.system = system;
        }
        run.check()?;
        let frames_chosen = self.longsight.chooses_frames();
        let include_usage = self.stream_options.is_some_and(|options| options.include_usage);
        Ok(Conversation { visual, turns, run, frames_chosen, include_usage })
    }

    /// Fields that mean nothing beside the others.
    fn check_agreement(&self) -> ApiResult<()> {
        let refuse = |message: &str, field| Err(ApiError::bad(message).param(field));
        if self.max_tokens.zip(self.max_completion_tokens).is_some_and(|(one, other)| one != other) {
            return refuse("`max_tokens` and `max_completion_tokens` differ; give one of them", "max_tokens");
        }
        if !self.stream && self.longsight.progress {
            return refuse("progress comes in a stream; set `stream`", "longsight.progress");
        }
        if !self.stream && self.stream_options.is_some() {
            return refuse("`stream_options` are of a stream; set `stream`", "stream_options");
        }
        Ok(())
    }

    /// Fields of OpenAI's API that would change the answer and are not supported.
    fn check_unsupported(&self) -> ApiResult<()> {
        let asked = [
            ("n", self.n.is_some_and(|n| n != 1)),
            ("stop", self.stop.as_ref().is_some_and(|stop| !stop.is_null())),
            ("tools", self.tools.as_ref().is_some_and(|tools| !tools.is_empty())),
            ("logprobs", self.logprobs == Some(true)),
            ("top_logprobs", self.top_logprobs.is_some_and(|n| n > 0)),
            ("presence_penalty", self.presence_penalty.is_some_and(|p| p != 0.0)),
            ("frequency_penalty", self.frequency_penalty.is_some_and(|p| p != 0.0)),
            ("response_format", self.response_format.as_ref().is_some_and(|f| f.kind != "text")),
            ("store", self.store == Some(true)),
        ];
        match asked.into_iter().find(|(_, asked)| *asked) {
            Some((field, _)) => Err(ApiError::bad(format!("`{field}` is not supported here"))
                .param(field)
                .code("unsupported")),
            None => Ok(()),
        }
    }
}

/// What is shown, the system's words, and the turns.
fn conversation(messages: Vec<Message>) -> ApiResult<(Visual, Option<String>, Vec<Turn>)> {
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

impl Options {
    fn chooses_frames(&self) -> bool {
        self.frames.is_some() || self.fps.is_some() || self.max_frames.is_some()
    }

    /// The server's settings with what the request says.
    pub(crate) fn resolve(&self, app: &App) -> ApiResult<RunSettings> {
        let mut run = app.settings.run.clone();
        self.check_frames(app)?;
        if self.moments.is_some() && !self.evidence {
            return Err(ApiError::bad("moments are listed with evidence only").param("longsight.moments"));
        }
        run.video.sample.budget = match (self.frames, run.video.sample.budget.clone()) {
            (Some(frames), _) => FrameBudget::Uniform { frames },
            (None, usual) if !self.chooses_frames() => usual,
            (None, FrameBudget::Fps { fps, max_frames }) => FrameBudget::Fps {
                fps: self.fps.unwrap_or(fps),
                max_frames: self.max_frames.unwrap_or(max_frames),
            },
            (None, _) => {
                let (fps, max_frames) = (self.fps.unwrap_or(1.0), self.max_frames.unwrap_or(128));
                FrameBudget::Fps { fps, max_frames }
            }
        };
        run.video.sample.from = time(self.from.as_ref(), "from")?.or(run.video.sample.from);
        run.video.sample.to = time(self.to.as_ref(), "to")?.or(run.video.sample.to);
        if let Some(method) = &self.context {
            run.context.method = parsed(method, "context")?;
        }
        if let Some(scale) = &self.scale {
            run.context.scale = parsed(&word(scale), "scale")?;
        }
        if let Some(pool) = &self.pool {
            run.pool = Some(parsed(pool, "pool")?);
        }
        if let Some(dedupe) = &self.dedupe {
            run.dedupe = parsed(&word(dedupe), "dedupe")?;
        }
        if self.evidence {
            let usual = EvidenceSettings::default();
            run.evidence = Some(EvidenceSettings { moments: self.moments.unwrap_or(usual.moments), ..usual });
        }
        Ok(run)
    }

    fn check_frames(&self, app: &App) -> ApiResult<()> {
        if self.frames.is_some() && (self.fps.is_some() || self.max_frames.is_some()) {
            let message = "frames, or fps with max_frames; not both";
            return Err(ApiError::bad(message).param("longsight.frames"));
        }
        app.check_frames(self.frames.or(self.max_frames).unwrap_or(0))
    }
}

/// A number or a word, as the command line would have it.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn parsed<T>(text: &str, field: &str) -> ApiResult<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|e: T::Err| ApiError::bad(format!("{field}: {e}")).param(format!("longsight.{field}")))
}

fn time(clock: Option<&Clock>, field: &str) -> ApiResult<Option<MediaTime>> {
    match clock {
        None => Ok(None),
        Some(Clock::Secs(secs)) => parsed(&secs.to_string(), field).map(Some),
        Some(Clock::Text(text)) => parsed(text, field).map(Some),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

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
