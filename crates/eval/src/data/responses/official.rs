//! The result files of the benchmarks' own scripts.

use super::{Join, known, record_of};
use crate::data::{checked_gold, mlvu::task_name, rows::Row, videomme::GROUPS};
use crate::{Benchmark, Record, Result, Task};
use serde_json::Value;

/// A video with its questions, as Video-MME's script reads them.
pub(super) fn videomme(row: &Row, join: &mut Join<'_>) -> Result<Vec<Record>> {
    belongs(row, join, Benchmark::VideoMme, "Video-MME's")?;
    let video = row.text("video_id")?;
    let Some(Value::Array(questions)) = row.fields.get("questions") else {
        return Err(row.error("`questions` must be a list of objects"));
    };
    let record = |question: &Value| {
        let Value::Object(fields) = question else {
            return Err(row.error("`questions` must be a list of objects"));
        };
        let mut question = Row { fields: fields.clone(), ..row.clone() };
        for key in GROUPS {
            if let Some(label) = row.fields.get(key) {
                question.fields.entry(key).or_insert_with(|| label.clone());
            }
        }
        videomme_question(&question, video, join)
    };
    questions.iter().map(record).collect()
}

fn videomme_question(row: &Row, video: &str, join: &mut Join<'_>) -> Result<Record> {
    let id = row.text("question_id")?;
    let response = row.optional_text("response")?.map(str::to_owned);
    if let Some(sample) = join.required(row, id)? {
        return Ok(record_of(sample, response));
    }
    for key in GROUPS {
        row.text(key)?;
    }
    let mut sample = known(row, id.into(), video.into(), row.groups(&GROUPS)?);
    sample.question = row.optional_text("question")?.unwrap_or_default().into();
    sample.options = row.texts("options")?;
    sample.gold = Some(checked_gold(row.text("answer")?, sample.options.len(), &mut sample.issues));
    Ok(record_of(&sample, response))
}

/// An answer of MLVU's test set, as it is submitted.
pub(super) fn mlvu_test(row: &Row, join: &mut Join<'_>) -> Result<Record> {
    belongs(row, join, Benchmark::Mlvu, "MLVU's")?;
    let id = row.label("question_id")?.ok_or_else(|| row.missing("question_id"))?;
    match join.required(row, &id)? {
        Some(sample) => Ok(record_of(sample, row.optional_text("option")?.map(str::to_owned))),
        None => {
            Err(row
                .error("MLVU's submission holds no right answers: name the benchmark's folder with --data"))
        }
    }
}

/// An answer of MLVU's development set, with its gold as `(C) text`.
pub(super) fn mlvu_dev(row: &Row, join: &mut Join<'_>) -> Result<Record> {
    belongs(row, join, Benchmark::Mlvu, "MLVU's")?;
    let kind = task_name(row.text("question_type")?, join.task);
    let video = row.text("video")?.rsplit('/').next().unwrap_or_default().to_owned();
    let gold = row.text("gt")?.trim_start().strip_prefix('(').and_then(|rest| rest.split(')').next());
    let Some(gold) = gold else { return Err(row.error("`gt` must start with a letter in parentheses")) };
    let mut sample =
        known(row, format!("{kind}_{}", row.number), video, vec![("task_type".into(), kind.into())]);
    sample.gold = Some(gold.into());
    Ok(record_of(&sample, row.optional_text("pred")?.map(str::to_owned)))
}

fn belongs(row: &Row, join: &Join<'_>, benchmark: Benchmark, whose: &str) -> Result<()> {
    let task: Task = join.task;
    if task.benchmark() == benchmark {
        return Ok(());
    }
    Err(row.error(format!("is an entry of {whose} result file, and the task is {task}")))
}
