//! Questions to prompts, byte for byte as each version of the public harnesses writes them.
//!
//! A key that a harness has no words for gets its default ones, as in lmms-eval.

mod lvb;
mod mlvu;
mod repr;
mod set_order;
mod srt;
pub mod videomme;

pub use lvb::{lvb_frame_indices, lvb_frame_times_secs};
pub use repr::list_literal;
pub use set_order::cpython_set_order;

use crate::{Benchmark, EvalError, Profile, PromptKey, Result, Sample, Task};
use std::path::Path;

/// What chooses a prompt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptSettings {
    /// The task.
    pub task: Task,
    /// The version; must be one of the task's benchmark.
    pub profile: Profile,
    /// The model's words.
    pub key: PromptKey,
    /// Frames that the model is shown. They decide where LongVideoBench's images stand and which subtitles
    /// `videomme-official` quotes; lmms-eval's Video-MME samples its subtitles at frames of its own (32 or 768).
    pub frames: usize,
}

/// What a prompt depends on of the video.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoFacts {
    /// Frames a second.
    pub fps: f64,
    /// Frames.
    pub total_frames: usize,
    /// Length in seconds; for LongVideoBench, the annotated one.
    pub duration_secs: f64,
}

/// What is put to the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// The user's words. Of an interleaved prompt, all of them, with `<image>` for every frame.
    pub text: String,
    /// A system message other than the model's own.
    pub system: Option<String>,
    /// What the assistant's turn starts with.
    pub answer_prefix: String,
    /// A sampling temperature other than greedy decoding.
    pub temperature: Option<f64>,
    /// Text and frames in their order, where frames stand inside the text.
    pub interleaved: Option<Vec<Part>>,
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// A piece of an interleaved prompt. The texts, with `<image>` for each frame, add up to [`Prompt::text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Words, line feeds included.
    Text(String),
    /// The next frame.
    Frame,
}

/// The prompt of one question. `subtitles` is the text of its subtitle file (SRT; LongVideoBench: JSON), None where
/// it has none; tasks without subtitles ignore it.
///
/// # Errors
///
/// A profile of another benchmark. A malformed subtitle file, where the original ends with an exception:
/// times that are not `HH:MM:SS,mmm --> HH:MM:SS,mmm` (lmms-eval; the official Video-MME script skips such cues), or
/// JSON without the keys of LongVideoBench's two formats.
pub fn build(
    settings: &PromptSettings,
    sample: &Sample,
    facts: &VideoFacts,
    subtitles: Option<&str>,
) -> Result<Prompt> {
    let PromptSettings { task, profile, .. } = settings;
    if task.benchmark() != profile.benchmark() {
        return Err(EvalError::Setting(format!(
            "profile {profile} is not one of {task}: choose another --profile"
        )));
    }
    let built = match task.benchmark() {
        Benchmark::VideoMme => videomme::build(settings, sample, facts, subtitles).map(Prompt::from),
        Benchmark::Mlvu => Ok(mlvu::build(settings, sample)),
        Benchmark::LongVideoBench => lvb::build(settings, sample, facts, subtitles),
        Benchmark::World => Ok(sample.question.clone().into()),
    };
    built.map_err(|message| EvalError::File {
        path: sample.subtitles.clone().unwrap_or_else(|| sample.video.clone()),
        message: format!("{message}: repair the subtitle file or remove it"),
    })
}

/// A benchmark's subtitle files are smaller than this.
const MAX_SUBTITLE_BYTES: u64 = 64 << 20;

/// Reads a subtitle file, as Python does in its text mode: with a line feed alone at the end of each line.
///
/// # Errors
///
/// It cannot be read, or is not UTF-8 (where the harnesses stop, too).
pub fn read_subtitles(path: &Path) -> Result<String> {
    Ok(longsight_text::read_text(path, MAX_SUBTITLE_BYTES)?)
}
