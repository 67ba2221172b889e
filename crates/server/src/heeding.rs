//! A connection that stops waiting when nobody waits for what it brings.

use crate::blocking::Left;
use std::time::Duration;
use ureq::Error;
use ureq::unversioned::transport::time::Duration as Wait;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// How often a wait looks whether the client is still there.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes the connections that it is given heed a client that leaves.
#[derive(Debug)]
pub(crate) struct Heeding(pub(crate) Left);

impl<In: Transport> Connector<In> for Heeding {
    type Out = HeedingTransport<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| HeedingTransport { inner, left: self.0.clone() }))
    }
}

/// See [`Heeding`].
#[derive(Debug)]
pub(crate) struct HeedingTransport<T> {
    inner: T,
    left: Left,
}

impl<T: Transport> Transport for HeedingTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    /// Waits in short pieces, which end together as the whole would.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let limited = timeout.for_read();
        let mut left = *limited.after;
        loop {
            if self.left.has_left() {
                return Err(Error::Io(std::io::Error::new(
                    std::io::ErrorKind::Interrupted,
                    "the client has left",
                )));
            }
            let piece = left.min(LOOK_EVERY);
            match self.inner.await_input(NextTimeout { after: Wait::Exact(piece), ..limited }) {
                Err(Error::Timeout(_)) if left > piece => left -= piece,
                other => return other,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
