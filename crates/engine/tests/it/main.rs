//! The engine on real frames: parity with transformers through the whole path, invariance, conversations, budgets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod budget;
mod conversation;
mod dedupe;
mod invariance;
mod parity;
mod schema;
mod sharing;
mod smolvlm;
mod support;
