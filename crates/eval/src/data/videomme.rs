//! Video-MME: one parquet of the split `test`, `data/{videoID}.mp4`, `subtitle/{videoID}.srt`.

use super::find::{Source, inside};
use super::rows::Row;
use crate::{Result, Sample, Task};
use std::path::{Path, PathBuf};

/// Where the annotations are.
pub(crate) const PATTERNS: &[&str] = &[
    "videomme/test-*.parquet",
    "**/test*.parquet",
    "**/*.parquet",
    "**/test*.jsonl",
    "**/test*.json",
    "*.jsonl",
    "*.json",
];

/// The columns that are read.
pub(crate) const KEYS: &[&str] = &[
    "video_id",
    "duration",
    "domain",
    "sub_category",
    "videoID",
    "question_id",
    "task_type",
    "question",
    "answer",
    "options",
];

/// The breakdown, under the names of its columns.
pub(crate) const GROUPS: [&str; 4] = ["duration", "domain", "sub_category", "task_type"];

const VIDEO_FOLDERS: [&str; 5] = ["data", "videomme/data", "videos", "video", ""];
const VIDEO_ENDINGS: [&str; 3] = ["mp4", "MP4", "mkv"];
const SUBTITLE_FOLDERS: [&str; 3] = ["subtitle", "videomme/subtitle", "subtitles"];

pub(crate) fn sample(row: &Row, source: &Source<'_>) -> Result<Sample> {
    let video_id = row.text("videoID")?;
    inside(row, "videoID", video_id)?;
    let files = |folder: &'static str, ending: &'static str| -> PathBuf {
        Path::new(folder).join(format!("{video_id}.{ending}"))
    };
    let videos =
        VIDEO_FOLDERS.into_iter().flat_map(|folder| VIDEO_ENDINGS.map(|ending| files(folder, ending)));
    let subtitles = match source.task {
        Task::VideoMmeSubs => source.locate(SUBTITLE_FOLDERS.into_iter().map(|folder| files(folder, "srt"))),
        _ => (PathBuf::new(), false),
    };
    for key in GROUPS {
        row.text(key)?;
    }
    let options = row.texts("options")?;
    let mut issues = Vec::new();
    let gold = super::checked_gold(row.text("answer")?, options.len(), &mut issues);
    Ok(Sample {
        id: row.text("question_id")?.into(),
        row: row.number,
        video_id: video_id.into(),
        video: source.locate(videos).0,
        subtitles: Some(subtitles.0).filter(|_| subtitles.1),
        question: row.text("question")?.into(),
        options,
        gold: Some(gold),
        groups: row.groups(&GROUPS)?,
        duration_secs: None,
        subtitle_offset_secs: 0.0,
        issues,
    })
}
