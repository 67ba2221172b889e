//! Ctrl-C, and the system's request to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether it was heard, for work that cleans up behind itself.
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on: until then, and where signals cannot be heard, the process just ends.
    pub fn listen() -> Self {
        let heard = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&heard);
        let listen = move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(stopped());
                tell.store(true, Ordering::Relaxed);
            }
        };
        let _ = std::thread::Builder::new().spawn(listen); // without it the process ends as it would have
        Self(heard)
    }

    /// Whether the work is to stop.
    pub fn heard(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Resolves at Ctrl-C, or when the system asks the process to end.
pub async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => (),
                _ = terminate.recv() => (),
            }
            return;
        }
    }
    let _ = interrupt.await; // where signals cannot be heard it never ends, as without this
}
