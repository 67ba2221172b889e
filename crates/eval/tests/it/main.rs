//! Tests of the crate from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod extract;

mod data;

mod report;
mod prompts;
mod score;
mod score_compare;
