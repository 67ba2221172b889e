//! The built program from arguments to output: real videos, small checkpoints, a stub hub on the loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod answers;
mod arguments;
mod chat;
mod checkpoint;
mod dedupe;
mod earlier_version;
mod errors;
mod eval_bench;
mod eval_hidden;
mod eval_imperfect;
mod eval_resume;
mod eval_score;
mod eval_select;
mod eval_settings;
mod evidence;
mod fuzz_seeds;
mod golden;
mod hostile;
mod hub;
mod index;
mod limits;
mod method;
mod needle;
mod pictures;
mod plan;
mod program;
mod serve;
mod subtitles;
mod sweep;
mod text_only;
mod tiny;
mod video;
mod world;
