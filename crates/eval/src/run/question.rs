//! A sample's prompt, and the engine's settings that go with it.

use crate::prompts::{self, Part, Prompt, VideoFacts};
use crate::run::EvalSettings;
use crate::{EvalError, Result, Sample};
use longsight_engine::{PromptSettings, RunSettings};
use longsight_video::{FrameBudget, VideoInfo};

/// A sample with its prompt.
pub(crate) struct Question<'a> {
    pub(crate) sample: &'a Sample,
    pub(crate) text: String,
    pub(crate) run: RunSettings,
}

impl Question<'_> {
    /// Whether both questions have the same frames with the same text around them.
    pub(crate) fn shares_video(&self, other: &Self) -> bool {
        self.run.prompt == other.run.prompt && self.run.video.sample.budget == other.run.video.sample.budget
    }
}

/// The prompt of a sample, and the engine's settings that go with it.
pub(crate) fn question<'a>(
    sample: &'a Sample,
    video: &VideoInfo,
    settings: &EvalSettings,
) -> Result<Question<'a>> {
    let mut run = settings.run.clone();
    let facts = VideoFacts {
        fps: video.average_fps,
        total_frames: video.total_frames,
        duration_secs: sample.duration_secs.unwrap_or(video.duration_secs),
    };
    let subtitles = sample.subtitles.as_deref().map(prompts::read_subtitles).transpose()?;
    let frames = match &run.video.sample.budget {
        FrameBudget::Uniform { frames } => *frames,
        _ => settings.task.default_frames(),
    };
    let how = prompts::PromptSettings {
        task: settings.task,
        profile: settings.profile,
        key: settings.prompt_key,
        frames,
    };
    let Prompt { text, system, answer_prefix, temperature, interleaved } =
        prompts::build(&how, sample, &facts, subtitles.as_deref())?;
    run.prompt = PromptSettings { system, answer_prefix, no_time_instruction: true, interleaved: None };
    if let Some(temperature) = temperature {
        run.generation.temperature = temperature;
    }
    let text = match interleaved {
        None => text,
        Some(parts) => {
            let (before_frames, rest) = split_at_frames(parts);
            if before_frames.is_empty() && frames > 0 {
                let message =
                    format!("lasts {} s: no whole second to take a frame from", facts.duration_secs);
                return Err(EvalError::File { path: sample.video.clone(), message });
            }
            let indices = prompts::lvb_frame_indices(facts.duration_secs, facts.fps, frames);
            run.video.sample.budget = FrameBudget::Indices(indices.into());
            run.prompt.interleaved = Some(before_frames);
            rest
        }
    };
    Ok(Question { sample, text, run })
}

/// The text before each frame, and the text behind the last.
fn split_at_frames(parts: Vec<Part>) -> (Vec<String>, String) {
    let mut before_frames = Vec::new();
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(piece) => text.push_str(&piece),
            Part::Frame => before_frames.push(std::mem::take(&mut text)),
        }
    }
    (before_frames, text)
}
