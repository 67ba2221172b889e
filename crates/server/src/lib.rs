//! The server: OpenAI's chat completions over videos, uploads, plans, metrics, and a web page.
//!
//! A request's way: `connections.rs` (so many at once) -> `routes/` (one file a resource) -> `body.rs` (in time, within the
//! memory for bodies) -> `wire/` (types of the API, nothing unknown accepted) -> `input.rs` (what the video is: an upload,
//! bytes in the request, an allowed address) -> `queue.rs` (bounded, fair between clients) -> `worker.rs` (the engine, one
//! question at a time: the kernels use all cores) -> events back to the route. What blocks before the queue runs on a thread
//! that hears when its client leaves (`blocking.rs`). `error.rs` turns every failure into a status and OpenAI's shape, once.
//! `guard.rs` is what every request passes: key, host, request id (`leftover.rs`: the rest of the body of one that is refused).

mod blocking;
mod body;
mod connections;
mod data_url;
mod echo;
mod error;
mod fetch;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod heeding;
mod input;
mod leftover;
mod metrics;
mod patience;
mod queue;
mod routes;
mod settings;
mod state;
mod storage;
mod uploads;
mod wire;
mod worker;

pub use error::ServeError;
pub use settings::{Limits, ServerSettings};

use error::ApiError;
use longsight_models::Lmm;
use state::App;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves until `shutdown` resolves; then no connection is accepted, the question at work is finished (for
/// [`Limits::shutdown_secs`] at most), and those that wait are refused. `ready` is told the address.
///
/// # Errors
/// An address that cannot be bound, or that is not loopback where there is no key and the settings do not allow it; a
/// data folder that cannot be written to.
pub async fn serve(
    model: Arc<Lmm>,
    settings: ServerSettings,
    shutdown: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    settings.check()?;
    let listener = TcpListener::bind(settings.address)
        .await
        .map_err(|source| ServeError::Bind { address: settings.address, source })?;
    let address =
        listener.local_addr().map_err(|source| ServeError::Bind { address: settings.address, source })?;
    let limits = settings.limits.clone();
    let app = Arc::new(App::new(model, settings)?);
    let worker = worker::start(Arc::clone(&app))?;
    let sweeping = tokio::spawn(sweep(Arc::clone(&app)));
    ready(address);
    let closing = Arc::clone(&app);
    let (stopped, mut stopping) = tokio::sync::watch::channel(false);
    let serving = connections::serve(listener, routes::router(Arc::clone(&app)), &limits, stopping.clone());
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("shutting down");
        closing.queue.close();
        let _ = stopped.send(true);
    });
    let shutdown_limit = std::time::Duration::from_secs(limits.shutdown_secs);
    tokio::select! {
        () = serving => (),
        () = async {
            let _ = stopping.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(shutdown_limit).await;
        } => {
            tracing::warn!("connections were still open after {} s", shutdown_limit.as_secs());
            app.queue.cancel_all();
        }
    }
    sweeping.abort();
    app.queue.close();
    let _ = tokio::task::spawn_blocking(move || worker.join()).await; // it ends with its question, or was stopped
    Ok(())
}

/// Removes unfinished uploads that nobody goes on with, while the server runs.
async fn sweep(app: Arc<App>) {
    let every = std::time::Duration::from_secs(app.settings.limits.unfinished_secs.clamp(1, 600));
    loop {
        let swept = Arc::clone(&app);
        if let Err(error) = blocking::blocking(move |_| swept.uploads.sweep().map_err(ApiError::io)).await {
            tracing::warn!(error = error.message(), "unfinished uploads");
        }
        tokio::time::sleep(every).await;
    }
}
