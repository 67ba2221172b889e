//! Our own form: `videos/`, `truth/`, `questions.jsonl`.

use super::Job;
use crate::questions::Question;
use crate::{Result, files};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A line of `questions.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionRow {
    /// Unique: the video's name and the question's number, from 1.
    pub id: String,
    /// The video file, from the folder's top.
    pub video: String,
    /// What is asked, and what is right.
    #[serde(flatten)]
    pub question: Question,
}

pub(super) fn write(jobs: &[Job], out: &Path) -> Result<()> {
    let rows: Vec<QuestionRow> = jobs
        .iter()
        .flat_map(|job| {
            job.questions.iter().enumerate().map(|(number, question)| QuestionRow {
                id: format!("{}-{}", job.name, number + 1),
                video: job.video.clone(),
                question: question.clone(),
            })
        })
        .collect();
    files::write_json_lines(&out.join("questions.jsonl"), &rows)
}
