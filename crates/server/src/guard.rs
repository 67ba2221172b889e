//! What every request passes: an id for the log, the host it names, the key, and a body that keeps coming.

use crate::error::{ApiError, ApiResult};
use crate::leftover::Leftover;
use crate::routes::page::FILES;
use crate::state::App;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use rand::RngCore;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Answered without a key: they tell nothing of anyone's videos.
const OPEN_PATHS: [&str; 7] =
    ["/healthz", "/readyz", "/", "/app.js", "/style.css", "/openapi.json", "/favicon.ico"];

/// Numbers the request, logs it, and lets it through where host and key are right.
pub(crate) async fn guard(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (request, leftover) = Leftover::watch(request);
    let mut response = match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            drop(request);
            error.into_response()
        }
    };
    let status = response.status();
    // A body that stopped coming has been waited for.
    if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
        leftover.discard(Duration::from_secs(app.settings.limits.idle_secs)).await;
    }
    let status = status.as_u16();
    let millis = started.elapsed().as_millis() as u64;
    tracing::info!(%id, %peer, %method, path, status, millis, "request");
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn check(app: &App, request: &Request) -> ApiResult<()> {
    let headers = request.headers();
    match &app.settings.key {
        Some(_) if is_open(request.uri().path()) => Ok(()),
        Some(key) => check_key(key, headers),
        None => check_host(app, headers, request.method()),
    }
}

fn is_open(path: &str) -> bool {
    OPEN_PATHS.contains(&path) || FILES.iter().any(|(file, ..)| *file == path)
}

fn check_key(key: &str, headers: &HeaderMap) -> ApiResult<()> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim).unwrap_or_default();
    // In constant time, so that the time of a refusal tells nothing about the key.
    if bool::from(given.as_bytes().ct_eq(key.as_bytes())) { Ok(()) } else { Err(ApiError::unauthorized()) }
}

/// Without a key, a page from elsewhere in the user's browser must not use the server: neither under a name that it has made
/// resolve to this machine, nor by a request of its own.
fn check_host(app: &App, headers: &HeaderMap, method: &Method) -> ApiResult<()> {
    if app.settings.open_without_key {
        return Ok(());
    }
    let refuse = |what: &str| Err(ApiError::new(StatusCode::FORBIDDEN, what));
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if !text(header::HOST).is_some_and(is_loopback_host) {
        return refuse("without a key this server answers under localhost, 127.0.0.1 and [::1] only");
    }
    let foreign = text(header::ORIGIN)
        .is_some_and(|origin| !origin.split_once("://").is_some_and(|(_, host)| is_loopback_host(host)));
    if foreign && method != Method::GET {
        return refuse("a page from elsewhere cannot use this server");
    }
    Ok(())
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]")
}

fn request_id() -> String {
    format!("req-{:016x}", rand::rng().next_u64())
}

/// The whole body, of at most `limit_bytes`; given up where nothing comes for `idle`.
pub(crate) async fn read_body(body: Body, limit_bytes: usize, idle: Duration) -> ApiResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = next_chunk(&mut stream, idle).await? {
        if bytes.len() + chunk.len() > limit_bytes {
            return Err(ApiError::too_large(format!(
                "the body is longer than the {limit_bytes} bytes allowed; upload large files instead"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The next piece of a body; None at its end.
pub(crate) async fn next_chunk(
    stream: &mut axum::body::BodyDataStream,
    idle: Duration,
) -> ApiResult<Option<axum::body::Bytes>> {
    match tokio::time::timeout(idle, stream.next()).await {
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(None) => Ok(None),
        Ok(Some(Err(error))) => Err(ApiError::bad(format!("the body broke off: {error}"))),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("no byte of the body came for {} s", idle.as_secs()),
        )),
    }
}

/// A JSON body.
pub(crate) async fn read_json<T: DeserializeOwned>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> ApiResult<T> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Also keeps plain forms of other sites out, which need no permission of the browser.
    if !kind.trim().to_ascii_lowercase().starts_with("application/json") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(ApiError::new(status, "send JSON, with Content-Type: application/json"));
    }
    let limits = &app.settings.limits;
    let bytes = read_body(body, limits.body_bytes, Duration::from_secs(limits.idle_secs)).await?;
    serde_json::from_slice(&bytes).map_err(|e| ApiError::bad(format!("the body: {e}")).code("invalid_json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_hosts() {
        for host in ["localhost", "localhost:8090", "127.0.0.1:1", "[::1]:80", "[::1]", "LOCALHOST"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "localhost:x"]
        {
            assert!(!is_loopback_host(host), "{host}");
        }
    }
}
