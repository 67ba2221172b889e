//! One question of a benchmark, as loaded.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One question, with all that asking and scoring need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Unique within its task: the benchmark's own question id, or one made of file and row.
    pub id: String,
    /// Place among the task's samples, from 0: the order of reports.
    pub row: usize,
    /// Clusters questions: Video-MME's `videoID`, MLVU's video file, LongVideoBench's `video_path`.
    pub video_id: String,
    /// Where the video is, or should be.
    #[serde(skip)]
    pub video: PathBuf,
    /// The subtitle file, where the task uses subtitles and it exists.
    #[serde(skip)]
    pub subtitles: Option<PathBuf>,
    /// As published (lmms-eval's MLVU rows hold the options inside).
    pub question: String,
    /// As published: Video-MME's start with their letters; LongVideoBench's hold `N/A`. Empty where they are inside the
    /// question. Of a question without candidates, the accepted answers, the usual one first.
    pub options: Vec<String>,
    /// The right letter (or the usual answer); None where the benchmark keeps it hidden, `@` where no candidate matches
    /// (never correct).
    pub gold: Option<String>,
    /// The benchmark's breakdown: names and labels, such as ("duration", "short").
    pub groups: Vec<(String, String)>,
    /// Length as annotated, in seconds.
    pub duration_secs: Option<f64>,
    /// LongVideoBench's `starting_timestamp_for_subtitles`.
    pub subtitle_offset_secs: f64,
    /// What is wrong with the annotation, to be listed in the report.
    pub issues: Vec<String>,
}

impl Sample {
    /// A record of this sample, neither answered nor scored.
    pub fn record(&self) -> Record {
        Record {
            id: self.id.clone(),
            row: self.row,
            video_id: self.video_id.clone(),
            groups: self.groups.clone(),
            question: self.question.clone(),
            options: self.options.clone(),
            gold: self.gold.clone(),
            issues: self.issues.clone(),
            response: None,
            failure: None,
            prediction: String::new(),
            score: 0.0,
            receipt_digest: None,
            measured: None,
        }
    }
}

/// One line of a run's `responses.jsonl`: a sample that was asked, with everything that scoring it again needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// See [`Sample::id`].
    pub id: String,
    /// See [`Sample::row`].
    pub row: usize,
    /// See [`Sample::video_id`].
    pub video_id: String,
    /// See [`Sample::groups`].
    pub groups: Vec<(String, String)>,
    /// See [`Sample::question`].
    #[serde(default)]
    pub question: String,
    /// See [`Sample::options`].
    pub options: Vec<String>,
    /// See [`Sample::gold`].
    pub gold: Option<String>,
    /// See [`Sample::issues`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<String>,
    /// The raw answer; None where the video failed.
    pub response: Option<String>,
    /// Why the video failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The letter read off the response under the run's profile; empty where none was found.
    pub prediction: String,
    /// 1 if the prediction is the gold letter, else 0.
    pub score: f64,
    /// SHA-256 of the receipt, without its times and memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_digest: Option<String>,
    /// What it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// What a sample took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Frames in the prompt.
    pub frames: usize,
    /// Visual tokens in the prompt.
    pub visual_tokens: usize,
    /// Prompt tokens in all.
    pub prompt_tokens: usize,
    /// s.
    pub scale: f64,
    /// Largest resident memory of the process so far in this video, where the system tells.
    pub peak_bytes: Option<u64>,
    /// From the question to its first token, the video's work included where this question did it.
    pub first_token_secs: f64,
    /// From the question to the end of the answer.
    pub total_secs: f64,
    /// Whether another question on the same video had prefilled it.
    pub shared_video: bool,
}
