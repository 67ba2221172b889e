//! Files that benchmarks with hidden answers take.

use crate::run::Pinned;
use crate::run::folder::{records, write_json};
use crate::{Profile, Record, Result, Task};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Writes `submission.json` where the benchmark has a form for it: MLVU's test set, Video-MME's official result file,
/// LongVideoBench's test split.
pub(super) fn write(folder: &Path, pinned: &Pinned) -> Result<Option<PathBuf>> {
    let path = folder.join("submission.json");
    let mut records = records(folder)?.collect::<Result<Vec<_>>>()?;
    records.sort_by_key(|record| record.row);
    let hidden = records.iter().all(|record| record.gold.is_none());
    let value = match pinned.task {
        Task::MlvuTest => records.iter().map(mlvu).collect(),
        Task::LongVideoBench | Task::LongVideoBenchSubs if hidden => {
            let answer = |r: &Record| (r.id.clone(), json!(r.response.clone().unwrap_or_default()));
            Value::Object(records.iter().map(answer).collect::<Map<_, _>>())
        }
        Task::VideoMme | Task::VideoMmeSubs if pinned.profile == Profile::VideoMmeOfficial => {
            videomme(&records)
        }
        _ => return Ok(None),
    };
    write_json(&path, &value)?;
    Ok(Some(path))
}

fn group<'a>(record: &'a Record, name: &str) -> &'a str {
    record.groups.iter().find(|(key, _)| key == name).map_or("", |(_, label)| label)
}

/// `[{question_id, question_type, option}]`.
fn mlvu(record: &Record) -> Value {
    json!({
        "question_id": record.id,
        "question_type": group(record, "task_type"),
        "option": record.prediction,
    })
}

/// One object a video, with its questions.
fn videomme(records: &[Record]) -> Value {
    let mut videos: Vec<(&str, Value)> = Vec::new();
    for record in records {
        let question = json!({
            "question_id": record.id,
            "task_type": group(record, "task_type"),
            "question": record.question,
            "options": record.options,
            "answer": record.gold,
            "response": record.response.clone().unwrap_or_default(),
        });
        match videos.iter_mut().find(|(id, _)| *id == record.video_id) {
            Some((_, video)) => {
                if let Some(questions) = video["questions"].as_array_mut() {
                    questions.push(question);
                }
            }
            None => videos.push((
                &record.video_id,
                json!({
                    "video_id": record.id.rsplit_once('-').map_or(record.id.as_str(), |(video, _)| video),
                    "duration": group(record, "duration"),
                    "domain": group(record, "domain"),
                    "sub_category": group(record, "sub_category"),
                    "questions": [question],
                }),
            )),
        }
    }
    Value::Array(videos.into_iter().map(|(_, video)| video).collect())
}
