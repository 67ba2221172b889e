//! The published numbers, the golden values and the properties of the plans.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
