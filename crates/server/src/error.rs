//! Failures: of the server itself, and of requests, which get their status and shape here and nowhere else.

use crate::echo::escaped;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use longsight_engine::{EngineError, ErrorKind, Setting};
use serde_json::{Value, json};
use std::io::ErrorKind as IoKind;
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
    /// Another server has the folder.
    #[error("{}: another server keeps its uploads there; stop it, or give each a folder of its own", _0.display())]
    FolderInUse(PathBuf),
    /// A setting that is invalid.
    #[error("{0}")]
    Setting(String),
    /// Threads.
    #[error("cannot start a thread ({0}): allow this program more memory or more processes")]
    Thread(std::io::Error),
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

/// Seconds after which a client may try again that was refused for the load.
const RETRY_AFTER_SECS: u64 = 5;
/// Characters of a message: longer than all of ours.
const MOST_MESSAGE: usize = 1000;

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None, retry_after_secs: None }
    }

    /// Something in the request that is invalid.
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

    /// What the system says of a file or folder of the server: full disks can be helped, everything else is ours.
    pub(crate) fn io(error: std::io::Error) -> Self {
        match error.kind() {
            IoKind::StorageFull | IoKind::QuotaExceeded | IoKind::FileTooLarge => {
                tracing::warn!(%error, "the storage is full");
                let message = "the server's storage is full; delete files that are not needed";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, message).code("storage_full")
            }
            _ => Self::internal(error),
        }
    }

    /// No thread for it now.
    pub(crate) fn no_thread(error: std::io::Error) -> Self {
        tracing::warn!(%error, "no thread for a request");
        Self::no_memory("the server cannot start a thread for this now; try again later")
    }

    /// Less memory than it would take.
    pub(crate) fn no_memory(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, message);
        Self { retry_after_secs: Some(RETRY_AFTER_SECS), ..error }.code("no_memory")
    }

    pub(crate) fn queue_full(message: &str) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, message);
        Self { retry_after_secs: Some(RETRY_AFTER_SECS), ..error }.code("queue_full")
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

    pub(crate) fn message(&self) -> &str {
        &self.message
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
        let message = escaped(&self.message, MOST_MESSAGE);
        json!({ "error": { "message": message, "type": kind, "param": self.param, "code": self.code } })
    }
}

/// A setting as a request names it; what only the operator sets has no field.
fn field(setting: Setting) -> String {
    let names = setting.names();
    names.json.name().map_or_else(|| format!("the server's {}", names.key), str::to_owned)
}

/// Most of what the engine refuses is about the request: its video, its settings, its size.
impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let fault = error.fault();
        let message = fault.show(&field);
        let param = fault.field.and_then(|setting| setting.names().json.name()).map(str::to_owned);
        let refused = || Self { param, ..Self::bad(message.clone()) };
        match fault.kind {
            ErrorKind::Setting => refused(),
            ErrorKind::Unsupported => refused().code("unsupported"),
            ErrorKind::Video => refused().code("video"),
            ErrorKind::Memory => refused().code("memory_limit"),
            ErrorKind::Stopped => Self::closing(),
            ErrorKind::Model | ErrorKind::Machine => Self::internal(message),
            ErrorKind::Internal => {
                let failed = Self::internal(message);
                Self { message: format!("{}; please report this", failed.message), ..failed }
            }
        }
    }
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
    use longsight_engine::{Fault, Text};

    fn told(kind: ErrorKind, field: Option<Setting>) -> (u16, Value) {
        let problem = Text::new(vec![Setting::TopP.into(), " and ".into(), Setting::ChunkTokens.into()]);
        let error = ApiError::from(EngineError::from(Fault { field, ..Fault::new(kind, problem) }));
        (error.status().as_u16(), error.to_json()["error"].take())
    }

    #[test]
    fn every_kind_of_error_has_its_status_and_code() {
        for kind in ErrorKind::ALL {
            let (status, error) = told(kind, Some(Setting::From));
            let expected = match kind {
                ErrorKind::Setting => (400, Value::Null),
                ErrorKind::Video => (400, "video".into()),
                ErrorKind::Unsupported => (400, "unsupported".into()),
                ErrorKind::Memory => (400, "memory_limit".into()),
                ErrorKind::Stopped => (503, "shutting_down".into()),
                ErrorKind::Model | ErrorKind::Machine | ErrorKind::Internal => (500, Value::Null),
            };
            assert_eq!((status, error["code"].clone()), expected, "{kind:?}");
            let message = error["message"].as_str().unwrap_or_default();
            if status == 400 {
                assert_eq!(error["param"], "longsight.from", "{kind:?}");
                assert_eq!(message, "top_p and the server's chunk_tokens");
            } else {
                assert!(!message.contains("top_p"), "the cause is for the log: {message}");
                assert_eq!(message.contains("please report this"), kind == ErrorKind::Internal, "{message}");
            }
        }
    }

    #[test]
    fn a_message_is_one_line_and_ends() {
        let shown = ApiError::bad(format!("no {}", "x\n".repeat(5000))).to_json();
        let message = shown["error"]["message"].as_str().unwrap_or_default();
        assert!(message.chars().count() <= 1001 && !message.contains('\n'), "{message}");
    }

    #[test]
    fn a_full_disk_is_507() {
        for kind in [IoKind::StorageFull, IoKind::QuotaExceeded, IoKind::FileTooLarge] {
            let error = ApiError::io(kind.into());
            assert_eq!(
                (error.status().as_u16(), &error.to_json()["error"]["code"]),
                (507, &json!("storage_full"))
            );
        }
        assert_eq!(ApiError::io(IoKind::PermissionDenied.into()).status().as_u16(), 500);
    }

    #[test]
    fn a_setting_that_requests_do_not_have_is_no_param() {
        assert_eq!(told(ErrorKind::Setting, Some(Setting::ChunkTokens)).1["param"], Value::Null);
        assert_eq!(told(ErrorKind::Setting, None).1["param"], Value::Null);
    }
}
