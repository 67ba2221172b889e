//! Work that blocks: on a thread with its own, bounded like the queue, and told when its client leaves.

use crate::error::{ApiError, ApiResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Whether the client that asked for some work has left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left(Arc<AtomicBool>);

impl Left {
    pub(crate) fn has_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Says that the client has left when the future that waits for the work is dropped.
struct Waiting(Left);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Does `work` on a thread with its own. A plain thread, since the runtime's panic where the system has none to give.
///
/// # Errors
/// No thread, and what the work says.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&Left) -> ApiResult<T> + Send + 'static,
) -> ApiResult<T> {
    let left = Left::default();
    let _waiting = Waiting(left.clone());
    let (done, outcome) = oneshot::channel();
    let run = move || {
        let _ = done.send(work(&left)); // nobody waits where the client left
    };
    std::thread::Builder::new().name("request".into()).spawn(run).map_err(ApiError::no_thread)?;
    outcome.await.map_err(|_| ApiError::internal("a request made a thread panic"))?
}

/// Lets a number of requests work and a number of others wait; further ones are refused, as by the queue.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// A request's place.
#[derive(Debug)]
pub(crate) struct Pass {
    _place: OwnedSemaphorePermit,
    _work: OwnedSemaphorePermit,
}

impl Gate {
    pub(crate) fn new(working: usize, waiting: usize) -> Self {
        let places = working.saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        let working = working.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), working: Arc::new(Semaphore::new(working)) }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// Too many wait already.
    pub(crate) async fn enter(&self) -> ApiResult<Pass> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place =
            place.map_err(|_| ApiError::queue_full("too many requests are waiting; try again later"))?;
        let work = Arc::clone(&self.working).acquire_owned().await.map_err(|_| ApiError::closing())?;
        Ok(Pass { _place: place, _work: work })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_gate_lets_some_work_some_wait_and_refuses_the_rest() {
        let gate = Arc::new(Gate::new(1, 1));
        let first = gate.enter().await.unwrap();
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter().await.is_ok() }
        });
        while gate.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.enter().await.unwrap_err().status(), 429);
        drop(first);
        assert!(waiting.await.unwrap());
        assert!(gate.enter().await.is_ok());
    }

    #[tokio::test]
    async fn work_hears_that_its_client_left() {
        let (begun, has_begun) = channel();
        let (ended, has_ended) = channel();
        let work = tokio::spawn(blocking(move |left| {
            begun.send(()).unwrap();
            while !left.has_left() {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
            Ok(())
        }));
        tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
        work.abort();
        tokio::task::spawn_blocking(move || has_ended.recv().unwrap()).await.unwrap();
    }
}
