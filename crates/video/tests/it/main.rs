//! The crate against real ffmpeg and small videos made on the spot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod clocks;
mod damage;
mod decoding;
mod fields;
mod hostile;
mod images;
mod pictures;
mod pixels;
mod synth;
