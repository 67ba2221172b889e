//! Types of the API. Unknown fields are refused: a setting that is not understood must not be ignored in silence.

mod fields;
pub(crate) mod json;
mod media;
mod messages;
mod options;

pub(crate) use media::Sampled;
pub(crate) use messages::{Visual, check_text_bytes};
pub(crate) use options::Options;

use crate::data_url::DataUrl;
use crate::echo::echo;
use crate::error::{ApiError, ApiResult};
use crate::state::App;
use fields::{OF_REQUESTS, take_neutral};
use longsight_engine::{RunSettings, Warning, WarningKind};
use longsight_models::processor::Turn;
use media::{MediaIo, VideoWords};
use messages::conversation;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    messages: Vec<Map<String, Value>>,
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
    // vLLM's.
    #[serde(default)]
    media_io_kwargs: MediaIo,
    #[serde(default)]
    mm_processor_kwargs: VideoWords,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
    /// Padding against who listens on the way; encryption is the proxy's here.
    #[serde(rename = "include_obfuscation")]
    _include_obfuscation: Option<bool>,
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

/// A request, understood.
pub(crate) struct Conversation {
    pub(crate) visual: Visual,
    pub(crate) turns: Vec<Turn>,
    pub(crate) run: RunSettings,
    pub(crate) frames_chosen: bool,
    pub(crate) include_usage: bool,
    /// What its receipt should tell.
    pub(crate) warnings: Vec<Warning>,
}

impl ChatRequest {
    /// Of a body without nulls.
    pub(crate) fn read(mut body: Value) -> ApiResult<Self> {
        if let Value::Object(fields) = &mut body {
            take_neutral(fields, OF_REQUESTS, "")?;
        }
        json::read(body)
    }

    /// Resolves the request over the server's own settings.
    pub(crate) fn resolve(mut self, app: &App) -> ApiResult<Conversation> {
        self.check_agreement()?;
        if self.model != app.settings.model_name {
            return Err(ApiError::not_found(format!(
                "there is no model `{}`; this server has `{}`",
                echo(&self.model),
                app.settings.model_name
            ))
            .param("model")
            .code("model_not_found"));
        }
        let limits = &app.settings.limits;
        let said = conversation(std::mem::take(&mut self.messages), limits.text_bytes)?;
        let sampled = self.choose_frames(&said.visual, limits.frames)?;
        let mut run = self.longsight.resolve(app)?;
        if let Some(sampled) = sampled {
            sampled.apply(&mut run, self.longsight.chooses_frames())?;
        }
        let generation = &mut run.generation;
        generation.temperature = self.temperature.unwrap_or(generation.temperature);
        generation.top_p = self.top_p.unwrap_or(generation.top_p);
        generation.seed = self.seed.unwrap_or(generation.seed);
        if let Some(tokens) = self.max_completion_tokens.or(self.max_tokens) {
            let most = limits.answer_tokens;
            if tokens > most {
                let message = format!("{tokens} tokens are more than the {most} of an answer here");
                return Err(ApiError::bad(message).param("max_tokens"));
            }
            generation.max_new_tokens = tokens;
        }
        if said.system.is_some() {
            run.prompt.system = said.system;
        }
        run.check()?;
        let order = "the words before what is shown come after it: models are shown videos and images first";
        Ok(Conversation {
            visual: said.visual,
            turns: said.turns,
            run,
            frames_chosen: self.longsight.chooses_frames() || sampled.is_some_and(|s| s.max_frames.is_some()),
            include_usage: self.stream_options.is_some_and(|options| options.include_usage),
            warnings: said
                .words_first
                .then(|| Warning::new(WarningKind::Prompt, order))
                .into_iter()
                .collect(),
        })
    }

    /// What vLLM's fields say of the frames; of frames that were sampled already it is returned.
    fn choose_frames(&mut self, visual: &Visual, most_frames: usize) -> ApiResult<Option<Sampled>> {
        let (media, processor) = (&mut self.media_io_kwargs.video, &mut self.mm_processor_kwargs);
        let words = std::mem::take(media).and(std::mem::take(processor))?;
        let is_sampled = |url: &str| DataUrl::parse(url).is_some_and(|data| data.frames().is_some());
        match visual {
            Visual::Video(url) if !is_sampled(url) => {
                words.choose(&mut self.longsight, most_frames)?;
                Ok(None)
            }
            Visual::Video(_) | Visual::Images(_) => words.sampled().map(Some),
        }
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
}

/// Reads a body as each kind of request. For fuzzing.
pub(crate) fn read_all(body: &[u8]) {
    const MOST_TEXT_BYTES: usize = 1 << 20;
    let Ok(body) = json::parse(body) else { return };
    if let Ok(request) = ChatRequest::read(body.clone()) {
        let _ = request.check_agreement();
        let _ = conversation(request.messages, MOST_TEXT_BYTES);
    }
    let _ = json::read::<PlanRequest>(body.clone());
    let _ = json::read::<UploadRequest>(body);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use longsight_engine::Setting;
    use serde_json::json;

    /// Fields that set nothing of a run.
    const NO_SETTINGS: [&str; 1] = ["progress"];

    /// The fields that serde names when it meets one that it does not know.
    fn known<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let Err(error) = serde_json::from_value::<T>(json!({ "?": 1 })) else { return Vec::new() };
        error.to_string().split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_schema_and_requests_have_the_same_fields() {
        let (request, options) = (known::<ChatRequest>(), known::<Options>());
        let mut named: Vec<String> = NO_SETTINGS.map(str::to_owned).to_vec();
        for setting in Setting::ALL {
            let Some(name) = setting.names().json.name() else { continue };
            match name.strip_prefix("longsight.") {
                Some(option) => named.push(option.to_owned()),
                None => assert!(request.contains(&name.to_owned()), "{name} is no field of {request:?}"),
            }
        }
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        assert_eq!(sorted(named), sorted(options));
    }
}
