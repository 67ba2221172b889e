//! Which failures are worth another attempt, and when.

use std::thread::sleep;

use crate::{HubError, Patience};

/// What one attempt came to, where it did not succeed.
pub(crate) enum Failure {
    /// Trying again cannot help.
    Fatal(HubError),
    /// Nobody answers: worth another try within a download, not at its beginning.
    NoConnection(HubError),
    /// A broken connection, a server in trouble.
    Transient(HubError),
}

impl Failure {
    pub(crate) fn into_error(self) -> HubError {
        match self {
            Self::Fatal(e) | Self::NoConnection(e) | Self::Transient(e) => e,
        }
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Fatal(error)
    }
}

/// Waits between attempts, each twice as long as the one before.
pub(crate) struct Backoff<'a> {
    patience: &'a Patience,
    used: u32,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(patience: &'a Patience) -> Self {
        Self { patience, used: 1 }
    }

    /// Waits before another attempt, or says that there is none left.
    pub(crate) fn wait(&mut self) -> bool {
        if self.used >= self.patience.attempts {
            return false;
        }
        sleep(self.patience.first_backoff.saturating_mul(1 << (self.used - 1).min(6)));
        self.used += 1;
        true
    }

    /// Bytes have come in: the count starts anew.
    pub(crate) fn reset(&mut self) {
        self.used = 1;
    }
}
