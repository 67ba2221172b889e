//! Video-MME's prompts.

use super::{PromptSettings, VideoFacts, list_literal, srt};
use crate::{Profile, PromptKey, Sample, Task};

pub use srt::{subtitles_at_frames, subtitles_in_full};

const INSTRUCTION: &str = "Select the best answer to the following multiple-choice question based on the video and \
    the subtitles. Respond with only the letter (A, B, C, or D) of the correct option.";
const OFFICIAL_INSTRUCTION: &str = "Select the best answer to the following multiple-choice question based on the \
    video. Respond with only the letter (A, B, C, or D) of the correct option.";

pub(super) fn build(
    settings: &PromptSettings,
    sample: &Sample,
    facts: &VideoFacts,
    subtitles: Option<&str>,
) -> Result<String, String> {
    let subtitles = subtitles.filter(|_| settings.task == Task::VideoMmeSubs);
    match (settings.profile, settings.task) {
        (Profile::VideoMmeOfficial, _) => Ok(official(settings, sample, facts, subtitles)),
        (_, Task::VideoMmeSubs) => {
            let quoted = match subtitles {
                None => "No subtitles available".to_owned(),
                Some(srt) if settings.key == PromptKey::GeminiApi => subtitles_in_full(srt),
                Some(srt) => subtitles_at_frames(srt, facts, subtitle_frames(settings))?,
            };
            Ok(with_subtitles(settings, sample, &quoted))
        }
        _ => Ok(without_subtitles(settings, sample)),
    }
}

/// lmms-eval's prompt without subtitles.
fn without_subtitles(settings: &PromptSettings, sample: &Sample) -> String {
    let Sample { question, .. } = sample;
    let options = options(settings.profile, sample);
    match (settings.profile, settings.key) {
        (Profile::VideoMme020, _) => {
            format!("{question}\n{options}\nAnswer the question with A, B, C, or D.")
        }
        (Profile::VideoMme | Profile::VideoMme03, key) if key.is_terse() => terse(sample),
        (profile, key) => format!("{INSTRUCTION}\n{question}\n{options}\n{}", last_words(profile, key)),
    }
}

/// lmms-eval's prompt around `quoted`, the subtitles as one text. The configured last words do not apply.
pub fn with_subtitles(settings: &PromptSettings, sample: &Sample, quoted: &str) -> String {
    let asked = match (settings.profile, settings.key) {
        (Profile::VideoMme | Profile::VideoMme03, key) if key.is_terse() => terse(sample),
        (profile, _) => {
            let options = options(profile, sample);
            format!("{INSTRUCTION}\n{}\n{options}\nThe best answer is:", sample.question)
        }
    };
    format!("This video's subtitles are listed below: \n{quoted}\n{asked}")
}

/// One a line, or a Python list in the older versions.
fn options(profile: Profile, sample: &Sample) -> String {
    match profile {
        Profile::VideoMme020 | Profile::VideoMme022 => list_literal(&sample.options),
        _ => sample.options.join("\n"),
    }
}

/// What follows the options. The line feed at the start of some leaves an empty line.
fn last_words(profile: Profile, key: PromptKey) -> &'static str {
    match (profile, key) {
        (Profile::VideoMme022, PromptKey::Gpt4v) => "\nAnswer the question with A, B, C, or D.",
        (Profile::VideoMme | Profile::VideoMme03, PromptKey::Gpt4v) => {
            "Answer the question with A, B, C, or D."
        }
        (Profile::VideoMme | Profile::VideoMme03, key) if key.begins_the_answer() => "The best answer is:",
        _ => "\nAnswer with the option's letter from the given choices directly.",
    }
}

fn terse(sample: &Sample) -> String {
    let Sample { question, options, .. } = sample;
    format!("Question: {question}\nOptions:\n{}\nAnswer with the option letter only.", options.join("\n"))
}

/// Frames at which lmms-eval looks for subtitles, whatever the model is shown.
fn subtitle_frames(settings: &PromptSettings) -> usize {
    match settings.profile {
        Profile::VideoMme | Profile::VideoMme03 => settings.key.subtitle_frames(),
        _ => PromptKey::Default.subtitle_frames(),
    }
}

/// Of Video-MME's own description; a video without a subtitle file is asked as without subtitles.
fn official(
    settings: &PromptSettings,
    sample: &Sample,
    facts: &VideoFacts,
    subtitles: Option<&str>,
) -> String {
    let header = subtitles.map_or(String::new(), |srt| {
        let quoted = srt::official_subtitles(srt, facts, settings.frames);
        format!("This video's subtitles are listed below:\n{quoted}\n")
    });
    let Sample { question, options, .. } = sample;
    let options = options.join("\n");
    format!("{header}{OFFICIAL_INSTRUCTION}\n{question}\n{options}\nThe best answer is:")
}
