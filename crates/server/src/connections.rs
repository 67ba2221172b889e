//! Connections: so many at once, each with a time for the head of a request, and one for taking the answer.
//!
//! Where all places are taken, one more connection closes the oldest that waits for a request: who says nothing keeps nobody
//! out. Where every connection has a request at work, it is answered 503.

use crate::Limits;
use crate::error::ApiError;
use crate::patience::Patience;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use longsight_engine::process_limit;
use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};

/// Files that are left for questions, uploads and the index.
const OTHER_FILES: u64 = 128;
/// After a connection that could not be taken.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Serves every connection until `stop` is true, and then those that are open until they have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) {
    let open = Arc::new(Open::new(limits.connections));
    let idle_limit = Duration::from_secs(limits.idle_secs);
    let (alive, mut all_ended) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection taken");
                open.close_oldest_waiting(); // the limit on open files, most likely
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
                continue;
            }
        };
        let Some(place) = open.take() else {
            refuse(stream);
            continue;
        };
        let (router, stop, alive) = (router.clone(), stop.clone(), alive.clone());
        tokio::spawn(async move {
            serve_one((stream, peer), router, place, idle_limit, stop).await;
            drop(alive);
        });
    }
    drop((listener, alive));
    let _ = all_ended.recv().await; // None: the last has ended
}

async fn serve_one(
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    place: Place,
    idle_limit: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let requests = Arc::clone(&place.connection.requests);
    let service = tower(router, peer, requests);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(idle_limit);
    let stream = Patience::new(stream, idle_limit);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut stopping = false;
    loop {
        tokio::select! {
            _ = connection.as_mut() => break, // what went wrong is the client's to see
            () = place.connection.close.notified() => break,
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The routes, for one connection whose requests at work are counted.
fn tower(
    router: Router,
    peer: SocketAddr,
    requests: Arc<AtomicUsize>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = hyper::Response<Body>,
    Error = std::convert::Infallible,
    Future: Send,
> {
    let service = TowerToHyperService::new(router);
    hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let at_work = AtWork::new(&requests);
        let answered = hyper::service::Service::call(&service, request);
        async move { Ok(answered.await?.map(|body| Body::new(Answer { body, _at_work: at_work }))) }
    })
}

/// Tells a client that there is no place for it; it is not waited for.
fn refuse(stream: TcpStream) {
    let error = ApiError::no_memory("too many connections; try again later").code("too_many_connections");
    let body = error.to_json().to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: 5\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(answer.as_bytes())); // does not block: it is short
}

/// A connection: how many of its requests are at work, and the word to close it.
#[derive(Debug)]
struct Connection {
    requests: Arc<AtomicUsize>,
    close: Notify,
}

/// The open connections, the oldest first.
#[derive(Debug)]
struct Open {
    most: usize,
    connections: Mutex<VecDeque<Arc<Connection>>>,
}

impl Open {
    fn new(most: usize) -> Self {
        let files = process_limit("Max open files")
            .map(|files| files.saturating_sub(OTHER_FILES).max(files / 2).max(1));
        let most = files.and_then(|files| usize::try_from(files).ok()).map_or(most, |files| most.min(files));
        Self { most, connections: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place; None where every connection has a request at work.
    fn take(self: &Arc<Self>) -> Option<Place> {
        if self.lock().len() >= self.most && !self.close_oldest_waiting() {
            return None;
        }
        let connection = Arc::new(Connection { requests: Arc::default(), close: Notify::new() });
        self.lock().push_back(Arc::clone(&connection));
        Some(Place { open: Arc::clone(self), connection })
    }

    /// Closes the oldest connection without a request at work, where there is one.
    fn close_oldest_waiting(&self) -> bool {
        let mut connections = self.lock();
        let waits = |connection: &Arc<Connection>| connection.requests.load(Ordering::Relaxed) == 0;
        let Some(at) = connections.iter().position(waits) else { return false };
        if let Some(connection) = connections.remove(at) {
            connection.close.notify_one();
        }
        true
    }
}

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
struct Place {
    open: Arc<Open>,
    connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.lock().retain(|other| !Arc::ptr_eq(other, &self.connection));
    }
}

/// A request at work, until its answer has been sent.
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn new(requests: &Arc<AtomicUsize>) -> Self {
        requests.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(requests))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body, which tells when it has been sent.
struct Answer {
    body: Body,
    _at_work: AtWork,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_more_closes_the_oldest_that_waits_and_never_one_at_work() {
        let open = Arc::new(Open { most: 2, connections: Mutex::default() });
        let (first, second) = (open.take().unwrap(), open.take().unwrap());
        let at_work = AtWork::new(&first.connection.requests);
        let third = open.take().unwrap();
        let left: Vec<bool> = [&first, &second, &third]
            .iter()
            .map(|place| open.lock().iter().any(|other| Arc::ptr_eq(other, &place.connection)))
            .collect();
        assert_eq!(left, [true, false, true], "the second said nothing");
        let third_at_work = AtWork::new(&third.connection.requests);
        assert!(open.take().is_none());
        drop(at_work);
        assert!(open.take().is_some());
        drop((first, second, third, third_at_work));
        assert!(open.lock().is_empty());
    }
}
