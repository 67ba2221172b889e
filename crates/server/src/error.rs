//! Failures: of the server itself, and of requests, which get their status and shape here and nowhere else.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use longsight_engine::EngineError;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A file or folder of the server.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A setting that cannot be meant.
    #[error("{0}")]
    Setting(String),
    /// The network, while serving.
    #[error("the server stopped: {0}")]
    Io(std::io::Error),
}

/// Why a request fails.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    retry_after_secs: Option<u64>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None, retry_after_secs: None }
    }

    /// Something in the request that cannot be meant.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a valid key is needed: Authorization: Bearer KEY")
            .code("invalid_api_key")
    }

    /// Our own fault; the cause goes to the log, not to the client.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    }

    pub(crate) fn queue_full(retry_after_secs: u64) -> Self {
        let error =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too many questions are waiting; try again later");
        Self { retry_after_secs: Some(retry_after_secs), ..error }.code("queue_full")
    }

    pub(crate) fn closing() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down").code("shutting_down")
    }

    pub(crate) fn param(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    pub(crate) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The message with `from` replaced: places on the server's disk are nobody's business.
    pub(crate) fn hiding(self, from: &str, to: &str) -> Self {
        Self { message: self.message.replace(from, to), ..self }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// In OpenAI's shape.
    pub(crate) fn to_json(&self) -> Value {
        let kind = match self.status.as_u16() {
            401 | 403 => "authentication_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        json!({ "error": { "message": self.message, "type": kind, "param": self.param, "code": self.code } })
    }
}

/// Flags of the command line, in whose words the engine speaks, and the fields of a request that set the same.
const FIELDS: [(&str, &str); 13] = [
    ("--max-new-tokens", "max_tokens"),
    ("--temperature", "temperature"),
    ("--top-p", "top_p"),
    ("--frames", "longsight.frames"),
    ("--fps", "longsight.fps"),
    ("--max-frames", "longsight.max_frames"),
    ("--from", "longsight.from"),
    ("--to", "longsight.to"),
    ("--context", "longsight.context"),
    ("--scale", "longsight.scale"),
    ("--pool", "longsight.pool"),
    ("--dedupe", "longsight.dedupe"),
    ("--moments", "longsight.moments"),
];

/// What the engine refuses is about the request: its video, its settings, its size.
impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let (message, param) = in_fields(&error.to_string());
        let refused = Self { param, ..Self::bad(message) };
        match error {
            EngineError::Stopped => Self::closing(),
            EngineError::Memory { .. } => refused.code("memory_limit"),
            EngineError::Video(_) => refused.code("video"),
            _ => refused,
        }
    }
}

/// A message with fields for flags, and the first field in it.
fn in_fields(message: &str) -> (String, Option<String>) {
    let mut param = None;
    let words = message.split(' ').map(|word| {
        let flag = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == flag) else {
            return word.to_owned();
        };
        param.get_or_insert_with(|| (*field).to_owned());
        format!("{field}{}", &word[flag.len()..])
    });
    (words.collect::<Vec<_>>().join(" "), param)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.to_json())).into_response();
        if let Some(secs) = self.retry_after_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_fields() {
        let (message, param) = in_fields("the clip is empty: --from 9 is not before --to 5; see --top-p.");
        assert_eq!(message, "the clip is empty: longsight.from 9 is not before longsight.to 5; see top_p.");
        assert_eq!(param.as_deref(), Some("longsight.from"));
        assert_eq!(in_fields("a--from b"), ("a--from b".into(), None));
    }
}
