//! The built program from arguments to output: real videos, small checkpoints, a stub hub on the loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod answers;
mod arguments;
mod chat;
mod checkpoint;
mod golden;
mod hostile;
mod hub;
mod method;
mod plan;
mod program;
mod subtitles;
mod video;
