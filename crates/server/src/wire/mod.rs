//! Types of the API. Unknown fields are refused: a setting that is not understood must not be ignored in silence.

mod messages;
mod options;

pub(crate) use messages::Visual;
pub(crate) use options::Options;

use crate::error::{ApiError, ApiResult};
use crate::state::App;
use longsight_engine::RunSettings;
use longsight_models::processor::Turn;
use messages::{Message, conversation};
use serde::Deserialize;
use serde_json::Value;

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

/// Reads a body as each kind of request. For fuzzing.
pub(crate) fn read_all(body: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<ChatRequest>(body) {
        let _ = request.check_unsupported().and_then(|()| request.check_agreement());
        let _ = conversation(request.messages);
    }
    let _ = serde_json::from_slice::<PlanRequest>(body);
    let _ = serde_json::from_slice::<UploadRequest>(body);
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
