//! The hub client against a stub hub and a stub storage host on the loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod built_in;
mod disk;
mod download;
mod hostile;
mod offline;
mod refusals;
mod resume;
mod settings;
mod stub;

use longsight_testkit::http;
