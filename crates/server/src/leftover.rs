//! What is left of a body when its request is refused before the body's end.
//!
//! A connection that is closed while the client still writes is reset: the client sees a broken pipe in place of the reason
//! it was refused for. So what is on its way is read and thrown away first, as far as that is bounded.

use axum::Error;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::header;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::oneshot;

/// Bodies longer than this find their connection closed.
const MOST_DISCARDED_BYTES: usize = 64 << 20;

/// Where the rest of a body comes back to, once nobody reads it any more.
pub(crate) struct Leftover(oneshot::Receiver<BodyDataStream>);

impl Leftover {
    /// The request with a body that hands back what of it is not read.
    pub(crate) fn watch(request: Request) -> (Request, Self) {
        let (back, rest) = oneshot::channel();
        // Who asks before sending has sent nothing, and must not be told to go on.
        let asks_first = request.headers().contains_key(header::EXPECT);
        let request = request.map(|body| {
            let stream = Some(body.into_data_stream());
            Body::from_stream(Watched { stream, back: (!asks_first).then_some(back) })
        });
        (request, Self(rest))
    }

    /// Reads the rest and throws it away: for `limit` at most. Call it when the request has been dropped.
    pub(crate) async fn discard(mut self, limit: Duration) {
        let Ok(mut rest) = self.0.try_recv() else { return };
        let reading = async {
            let mut bytes = 0;
            while bytes < MOST_DISCARDED_BYTES
                && let Some(Ok(chunk)) = rest.next().await
            {
                bytes += chunk.len();
            }
        };
        let _ = tokio::time::timeout(limit, reading).await; // what comes later is not waited for
    }
}

struct Watched {
    stream: Option<BodyDataStream>,
    back: Option<oneshot::Sender<BodyDataStream>>,
}

impl Stream for Watched {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        let next = ready!(stream.poll_next_unpin(context));
        if !matches!(next, Some(Ok(_))) {
            self.stream = None;
        }
        Poll::Ready(next)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let (Some(stream), Some(back)) = (self.stream.take(), self.back.take()) {
            let _ = back.send(stream); // an answered request's rest is not wanted
        }
    }
}
