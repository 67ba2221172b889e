//! Benchmarks, asked and scored as the community does. Start reading at [`task`].
//!
//! The data's way: annotation files -> [`data`] -> [`Sample`]s -> [`prompts`] -> the engine -> [`extract`] -> [`Record`]s
//! (one line each) -> [`score`] -> [`report`].

pub mod data;
mod error;
pub mod evidence;
pub mod extract;
pub mod needle;
mod prompt_key;
pub mod prompts;
pub mod report;
pub mod run;
mod sample;
pub mod score;
pub mod task;

pub use error::{EvalError, Result};
pub use prompt_key::PromptKey;
pub use sample::{Measured, Record, Sample};
pub use task::{Averaging, Benchmark, Extractor, Profile, Task};
