//! The text of a prompt: what the template, the family, subtitles and the question say, as token ids.

use super::subtitles::PromptSubtitles;
use crate::settings::{PromptSettings, RunSettings};
use crate::warning::{Warning, WarningKind};
use crate::{EngineError, Result};
use longsight_models::ModelInfo;
use longsight_models::family::{Shown, VisualText};
use longsight_models::processor::{Conversation, PromptText, Role, Turn};
use longsight_video::{SamplePlan, SubtitleReading, VideoInfo};

/// The prompt's text around the visual tokens, tokenised.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Ids before the first unit.
    pub before_ids: Vec<u32>,
    /// Ids directly before each unit, where there is text between them (the first unit's are in `before_ids`); else empty.
    pub between_ids: Vec<Vec<u32>>,
    /// Ids from the last unit to where the answer begins.
    pub after_ids: Vec<u32>,
    /// Subtitle cues in it.
    pub subtitle_cues: usize,
    /// How the subtitles were read; None without any.
    pub subtitles: Option<SubtitleReading>,
    /// What the user's first turn says before the question: the family's words, subtitles.
    pub preamble: String,
    /// What stands after the last unit, before what the template writes.
    end: String,
}

impl Prompt {
    /// The prompt of one question, and what the user should know of it.
    pub(super) fn new(
        model: &ModelInfo,
        video: &VideoInfo,
        sample: &SamplePlan,
        question: &str,
        settings: &RunSettings,
    ) -> Result<(Self, Vec<Warning>)> {
        let words = words(model, video, sample, &settings.prompt)?;
        let subtitles = PromptSubtitles::read(video, sample, settings)?;
        let preamble = words.preamble.clone() + &subtitles.text;
        let mut warnings = subtitles.warnings;
        warnings.extend(special_token_warning(model, &format!("{preamble}{question}")));
        let end = words.units.last().map_or("", |(_, after)| after.as_str()).to_owned() + &words.outro;
        let mut prompt = Self {
            before_ids: Vec::new(),
            between_ids: Vec::new(),
            after_ids: Vec::new(),
            subtitle_cues: subtitles.cues,
            subtitles: subtitles.reading,
            end,
            preamble,
        };
        let turns = [Turn { role: Role::User, content: question.to_owned() }];
        let text = prompt.render(model, &turns, settings)?;
        let mut before = texts_before(model, &words, settings.prompt.interleaved.as_deref(), sample);
        let first = before.first_mut().map(std::mem::take).unwrap_or_default();
        // What stands before the first unit is tokenised as one piece, as these models split a prompt at its images.
        prompt.before_ids = model.tokenizer.encode(&format!("{}{}{first}", text.before, words.intro))?;
        prompt.between_ids =
            before.iter().map(|text| model.tokenizer.encode(text)).collect::<std::result::Result<_, _>>()?;
        prompt.after_ids = model.tokenizer.encode(&text.after)?;
        Ok((prompt, warnings))
    }

    /// Ids from the last unit to where the answer to the last of `turns` begins.
    pub(crate) fn question_ids(
        &self,
        model: &ModelInfo,
        turns: &[Turn],
        settings: &RunSettings,
    ) -> Result<Vec<u32>> {
        Ok(model.tokenizer.encode(&self.render(model, turns, settings)?.after)?)
    }

    /// Tokens that are not visual, without the answer.
    pub fn tokens(&self) -> usize {
        let between: usize = self.between_ids.iter().map(Vec::len).sum();
        self.before_ids.len() + between + self.after_ids.len()
    }

    /// The conversation as text, with the preamble before the first question. Spellings of special tokens in what people or
    /// subtitles say are broken by a zero-width space: they must not end a turn or forge one.
    fn render(&self, model: &ModelInfo, turns: &[Turn], settings: &RunSettings) -> Result<PromptText> {
        let mut turns = turns.to_vec();
        if let Some(first) = turns.first_mut() {
            first.content.insert_str(0, &self.preamble);
        }
        for turn in &mut turns {
            turn.content = without_special_tokens(model, &turn.content);
        }
        let prompt = &settings.prompt;
        let conversation = Conversation {
            turns: &turns,
            system: prompt.system.as_deref(),
            answer_prefix: &prompt.answer_prefix,
            frames_inline: prompt.interleaved.is_some(),
        };
        let family = &*model.config.family;
        let text = model.template.render(family, settings.template, &conversation)?;
        Ok(PromptText { after: format!("{}{}", self.end, text.after), ..text })
    }
}

/// The family's words around the units.
fn words(
    model: &ModelInfo,
    video: &VideoInfo,
    sample: &SamplePlan,
    prompt: &PromptSettings,
) -> Result<VisualText> {
    let times_secs: Vec<f64> = sample.frames.iter().map(|frame| frame.time.secs()).collect();
    let shown = match &prompt.interleaved {
        None => Shown::Video { duration_secs: video.duration_secs, times_secs: &times_secs },
        Some(texts) if texts.len() == times_secs.len() => Shown::Stills(texts.len()),
        Some(texts) => {
            return Err(EngineError::request(format!(
                "{} texts for {} frames: interleaving takes one a frame",
                texts.len(),
                times_secs.len()
            )));
        }
    };
    let mut words = model.config.family.text(&shown);
    if prompt.no_time_instruction {
        words.preamble.clear();
    }
    Ok(words)
}

/// What stands directly before each unit: what the family puts after the one before it, a benchmark's text, and what the
/// family puts before it. Empty where that is nothing for all units.
fn texts_before(
    model: &ModelInfo,
    words: &VisualText,
    given: Option<&[String]>,
    sample: &SamplePlan,
) -> Vec<String> {
    if words.units.is_empty() && given.is_none() {
        return Vec::new();
    }
    let own = |unit: usize| {
        words.units.get(unit).map_or(("", ""), |(before, after)| (before.as_str(), after.as_str()))
    };
    let text = |unit: usize| {
        let ended = unit.checked_sub(1).map_or("", |before| own(before).1);
        let given = given.and_then(|texts| texts.get(unit)).map_or("", String::as_str);
        format!("{ended}{}{}", without_special_tokens(model, given), own(unit).0)
    };
    (0..sample.frames.len()).map(text).collect()
}

/// `text` with the spellings of special tokens broken.
pub(crate) fn without_special_tokens(model: &ModelInfo, text: &str) -> String {
    let mut text = text.to_owned();
    for token in model.tokenizer.added_tokens().iter().filter(|token| !token.is_empty()) {
        if text.contains(token.as_str()) {
            text = text.replace(token.as_str(), &broken(token));
        }
    }
    text
}

/// A token's spelling with a zero-width space behind its first character.
fn broken(token: &str) -> String {
    let mut characters = token.chars();
    characters.next().map(|first| format!("{first}\u{200b}{}", characters.as_str())).unwrap_or_default()
}

fn special_token_warning(model: &ModelInfo, text: &str) -> Option<Warning> {
    let found =
        model.tokenizer.added_tokens().into_iter().find(|t| !t.is_empty() && text.contains(t.as_str()))?;
    let said =
        format!("the question or the subtitles contain the special token {found}; it is taken as plain text");
    Some(Warning::new(WarningKind::Prompt, said))
}
