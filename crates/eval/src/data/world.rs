//! A synthetic world in the plain layout: `questions.jsonl`, of which the open-ended questions are asked.

use super::find::{Source, inside};
use super::rows::Row;
use crate::{Result, Sample};

/// Where the questions are.
pub(crate) const PATTERNS: &[&str] = &["questions.jsonl"];

/// The fields that are read.
pub(crate) const KEYS: &[&str] = &["id", "video", "kind", "question", "answers", "candidates"];

/// Whether the question is multiple choice.
pub(crate) fn has_candidates(row: &Row) -> Result<bool> {
    Ok(row.optional_texts("candidates")?.is_some_and(|candidates| !candidates.is_empty()))
}

pub(crate) fn sample(row: &Row, source: &Source<'_>) -> Result<Sample> {
    let video = inside(row, "video", row.text("video")?)?;
    let answers = row.texts("answers")?;
    let usual = answers.first().cloned().ok_or_else(|| row.missing("answers"))?;
    Ok(Sample {
        id: row.text("id")?.into(),
        row: row.number,
        video_id: row.text("video")?.into(),
        video: source.locate(std::iter::once(video)).0,
        subtitles: None,
        question: row.text("question")?.into(),
        options: answers,
        gold: Some(usual),
        groups: row.groups(&["kind"])?,
        duration_secs: None,
        subtitle_offset_secs: 0.0,
        issues: Vec::new(),
    })
}
