//! Subtitles before the question: read, cut to what is said near the frames, and what is to be told of that.

use crate::Result;
use crate::settings::{RunSettings, Setting, SubtitleSource};
use crate::text::{Text, text};
use crate::warning::{Warning, WarningKind};
use longsight_video::{
    SamplePlan, SubtitleReading, VideoInfo, cues_near_frames, embedded_subtitles, read_subtitles,
    subtitle_prompt,
};

/// The subtitles of a prompt; the default is none.
#[derive(Default)]
pub(super) struct PromptSubtitles {
    /// What stands in the prompt.
    pub(super) text: String,
    /// Cues in it.
    pub(super) cues: usize,
    pub(super) reading: Option<SubtitleReading>,
    pub(super) warnings: Vec<Warning>,
}

impl PromptSubtitles {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// A file or stream that cannot be read, or holds no subtitles.
    pub(super) fn read(video: &VideoInfo, sample: &SamplePlan, settings: &RunSettings) -> Result<Self> {
        let Some(source) = &settings.subtitles else { return Ok(Self::default()) };
        let subtitles = match source {
            SubtitleSource::File(path, encoding) => read_subtitles(path, *encoding)?,
            SubtitleSource::Embedded(track) => embedded_subtitles(video, track, &settings.video.decode)?,
        };
        let mut warnings = remarks(&subtitles.reading);
        let times: Vec<_> = sample.frames.iter().map(|frame| frame.time).collect();
        let near = cues_near_frames(&subtitles.cues, &times);
        if near.len() < subtitles.cues.len() {
            let (used, all) = (near.len(), subtitles.cues.len());
            warnings.push(
                format!("{used} of {all} subtitles lie near a sampled frame; only these are in the prompt")
                    .into(),
            );
        }
        let text = if near.is_empty() { String::new() } else { subtitle_prompt(&near) + "\n" };
        let warnings = warnings.into_iter().map(|text| Warning::new(WarningKind::Prompt, text)).collect();
        Ok(Self { text, cues: near.len(), reading: Some(subtitles.reading), warnings })
    }
}

/// What was read otherwise than the file may mean, and what was left out.
fn remarks(reading: &SubtitleReading) -> Vec<Text> {
    let encoding = reading.encoding;
    let mut remarks = Vec::new();
    if reading.encoding_source == "guessed" {
        let said = format!(
            "the subtitles are not UTF-8 and are read as {encoding}, a guess; where it is wrong, set "
        );
        remarks.push(text![said, Setting::SubtitleEncoding]);
    }
    if reading.damaged {
        remarks.push(
            format!("some bytes of the subtitles are no {encoding} text and are replaced by U+FFFD").into(),
        );
    }
    if let Some(choice) = &reading.choice {
        remarks.push(text![
            format!("{choice}; choose with "),
            Setting::Subtitles,
            " embedded:LANGUAGE or embedded:NUMBER"
        ]);
    }
    if reading.unreadable_cues > 0 {
        remarks.push(
            format!("{} subtitle cues could not be read and are left out", reading.unreadable_cues).into(),
        );
    }
    if reading.left_out_signs > 0 {
        let signs = reading.left_out_signs;
        remarks.push(
            format!("{signs} subtitles that stand at a place in the picture (signs) are left out").into(),
        );
    }
    remarks
}
