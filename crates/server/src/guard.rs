//! What every request passes: an id for the log, the host it names, and the key.

use crate::error::{ApiError, ApiResult};
use crate::leftover::Leftover;
use crate::routes::page::FILES;
use crate::state::App;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rand::RngCore;
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
    if (status.is_client_error() || status.is_server_error()) && status != StatusCode::REQUEST_TIMEOUT {
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
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bearer = given.trim().split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let given = bearer.map(|(_, key)| key.trim()).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_a_key_is_read_in_any_case() {
        let checked = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            check_key("secret", &headers).is_ok()
        };
        for good in ["Bearer secret", "bearer secret", "BEARER  secret ", "bEaReR secret"] {
            assert!(checked(good), "{good}");
        }
        for bad in ["secret", "Bearer", "Bearer ", "Basic secret", "Bearer Secret", "Bearersecret", ""] {
            assert!(!checked(bad), "{bad}");
        }
    }

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
