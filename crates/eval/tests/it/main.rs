//! Tests of the crate from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod data;
mod earlier_versions;
mod extract;
mod needle_answer;
mod prompts;
mod prompts_longvideobench;
mod prompts_python;
mod report;
mod run_folder;
mod run_select;
mod score;
mod score_compare;
mod score_errors;
