//! Reading bodies: in time, and within the memory that there is for all of them.

use crate::Limits;
use crate::error::{ApiError, ApiResult};
use crate::state::App;
use crate::wire::json;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// A body may take longer than its time where it comes at this rate on average.
const SLOWEST_BYTES_PER_SEC: u64 = 16 << 10;

/// The time of a body: as a whole, and between two pieces of it.
#[derive(Debug)]
pub(crate) struct Pace {
    started: Instant,
    idle: Duration,
    total: Duration,
    received_bytes: u64,
}

impl Pace {
    pub(crate) fn new(limits: &Limits) -> Self {
        let secs = Duration::from_secs;
        Self {
            started: Instant::now(),
            idle: secs(limits.idle_secs),
            total: secs(limits.body_secs),
            received_bytes: 0,
        }
    }

    /// Waits for the next part of a body.
    ///
    /// # Errors
    /// It does not come in time.
    pub(crate) async fn wait<T>(&self, part: impl Future<Output = T>) -> ApiResult<T> {
        let allowed = self.total + Duration::from_secs(self.received_bytes / SLOWEST_BYTES_PER_SEC);
        let left = allowed.saturating_sub(self.started.elapsed());
        tokio::time::timeout(self.idle.min(left), part).await.map_err(|_| {
            let message = if left < self.idle {
                format!("the body did not come within {} s", self.total.as_secs())
            } else {
                format!("no byte of the body came for {} s", self.idle.as_secs())
            };
            ApiError::new(StatusCode::REQUEST_TIMEOUT, message)
        })
    }

    /// Counts what came.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.received_bytes += bytes as u64;
    }

    /// The next piece of a body; None at its end.
    pub(crate) async fn next(&mut self, stream: &mut BodyDataStream) -> ApiResult<Option<Bytes>> {
        match self.wait(stream.next()).await? {
            Some(Ok(piece)) => {
                self.received(piece.len());
                Ok(Some(piece))
            }
            None => Ok(None),
            Some(Err(error)) => Err(ApiError::bad(format!("the body broke off: {error}"))),
        }
    }
}

/// A body that was read, and its share of the memory for bodies.
pub(crate) struct JsonBody {
    bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl JsonBody {
    /// The body as JSON without nulls, and what must be held while it is in memory. One at a time: meanwhile it is there
    /// twice.
    pub(crate) fn parse(self, app: &App) -> ApiResult<(Value, Option<OwnedSemaphorePermit>)> {
        let Self { bytes, share } = self;
        let _one = app.parsing.lock().unwrap_or_else(PoisonError::into_inner);
        let value = json::parse(&bytes)?;
        drop(bytes); // before the next one is parsed
        Ok((value, share))
    }
}

/// Reads a body of at most `limit_bytes`.
///
/// # Errors
/// A body that is too long or too slow, or not JSON by its own words; too many bodies at once.
pub(crate) async fn read_body(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    limit_bytes: usize,
) -> ApiResult<JsonBody> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Also keeps plain forms of other sites out, which need no permission of the browser.
    if !kind.trim().to_ascii_lowercase().starts_with("application/json") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(ApiError::new(status, "send JSON, with Content-Type: application/json"));
    }
    let mut read = JsonBody { bytes: Vec::new(), share: None };
    let (mut pace, mut stream) = (Pace::new(&app.settings.limits), body.into_data_stream());
    while let Some(piece) = pace.next(&mut stream).await? {
        if read.bytes.len() + piece.len() > limit_bytes {
            return Err(ApiError::too_large(format!(
                "the body is longer than the {limit_bytes} bytes allowed; upload large files instead"
            )));
        }
        take_share(app, &mut read.share, piece.len())?;
        let no_memory = |_| ApiError::no_memory("there is no memory for this body now; try again later");
        read.bytes.try_reserve(piece.len()).map_err(no_memory)?;
        read.bytes.extend_from_slice(&piece);
    }
    Ok(read)
}

fn take_share(app: &App, share: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> ApiResult<()> {
    let full = || ApiError::queue_full("too many large requests at once; try again later");
    let bytes = u32::try_from(bytes).map_err(|_| full())?;
    let more = Arc::clone(&app.body_bytes).try_acquire_many_owned(bytes).map_err(|_| full())?;
    match share {
        Some(share) => share.merge(more),
        None => *share = Some(more),
    }
    Ok(())
}

/// A short body, understood.
pub(crate) async fn read_json<T: DeserializeOwned>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> ApiResult<T> {
    const MOST_BYTES: usize = 1 << 20;
    let limit_bytes = app.settings.limits.body_bytes.min(MOST_BYTES);
    let (value, _share) = read_body(app, headers, body, limit_bytes).await?.parse(app)?;
    json::read(value)
}
