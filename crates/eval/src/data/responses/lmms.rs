//! lmms-eval's sample logs (`--log_samples`).
//!
//! Of an entry, `doc` is the row of the data set: only versions before 0.4 log it. The dictionary that the task's metric
//! got is always there, and says what was asked; MLVU's has the question's text for its id.

use super::{Join, known, record_of};
use crate::data::find::Source;
use crate::data::mlvu::task_name;
use crate::data::rows::{Row, shown};
use crate::{Benchmark, Record, Result, Sample};
use serde_json::Value;

/// The metrics' names, of all versions (`percetion` is theirs).
const METRICS: [(&str, Benchmark); 4] = [
    ("videomme_perception_score", Benchmark::VideoMme),
    ("videomme_percetion_score", Benchmark::VideoMme),
    ("mlvu_percetion_score", Benchmark::Mlvu),
    ("lvb_acc", Benchmark::LongVideoBench),
];

pub(super) fn record(row: &Row, join: &mut Join<'_>) -> Result<Record> {
    let response = response(row)?;
    let place = row.integer("doc_id")?.and_then(|place| usize::try_from(place).ok());
    let mut own = match row.inner("doc")? {
        Some(doc) => of_doc(&doc, join)?,
        None => of_metric(row, join, place.unwrap_or(row.number))?,
    };
    own.row = place.unwrap_or(row.number);
    // MLVU's questions are known by their text: the data sets differ in order, and the metric holds no id.
    let asked = match join.task.benchmark() {
        Benchmark::Mlvu => own.question.trim_end(),
        _ => &own.id,
    };
    let sample = match place.and_then(|place| join.at(place, asked)) {
        Some(sample) => Some(sample),
        None => join.required(row, asked)?,
    };
    let known = match sample {
        Some(sample) => sample,
        None => {
            name_unnamed(&mut own);
            &own
        }
    };
    Ok(record_of(known, Some(response)))
}

/// MLVU's logs without `doc` give the question for its id; two questions may have the same text.
fn name_unnamed(sample: &mut Sample) {
    if sample.id == sample.question {
        let kind = sample.groups.first().map_or("", |(_, label)| label);
        sample.id = format!("{kind}_{}", sample.row);
        sample.video_id.clone_from(&sample.id);
    }
}

/// The answer that lmms-eval scored: the only one, or the first of the only request.
fn response(row: &Row) -> Result<String> {
    let key = if row.has("filtered_resps") { "filtered_resps" } else { "resps" };
    let mut value = &row.fields[key];
    loop {
        match value {
            Value::String(text) => return Ok(text.clone()),
            Value::Array(entries) => match entries.first() {
                Some(first) => value = first,
                None => return Err(row.error(format!("`{key}` is empty"))),
            },
            _ => return Err(row.error(format!("`{key}` must be a string, or lists around one"))),
        }
    }
}

fn of_doc(doc: &Row, join: &Join<'_>) -> Result<Sample> {
    crate::data::sample(doc, &Source { task: join.task, folder: None, hidden: true })
}

fn of_metric(row: &Row, join: &mut Join<'_>, place: usize) -> Result<Sample> {
    let named = METRICS.into_iter().find(|(name, _)| row.has(name));
    let Some((name, benchmark)) = named else {
        return Err(row.error(format!("has neither `doc` nor the metric of {}", join.task)));
    };
    if benchmark != join.task.benchmark() {
        return Err(row.error(format!("holds {}, which is no metric of {}", shown(name), join.task)));
    }
    let Some(metric) = row.inner(name)? else { return Err(row.missing(name)) };
    let gold = metric.optional_text("answer")?.map(str::to_owned);
    let mut sample = match benchmark {
        Benchmark::VideoMme => videomme(&metric)?,
        Benchmark::Mlvu => mlvu(&metric, join)?,
        Benchmark::LongVideoBench => longvideobench(&metric, join)?,
        Benchmark::World => return Err(row.error("lmms-eval has no metric for synthetic worlds")),
    };
    sample.gold = gold;
    sample.row = place;
    Ok(sample)
}

fn videomme(metric: &Row) -> Result<Sample> {
    let id = metric.text("question_id")?.to_owned();
    // Question 2 of video 001 is 001-2.
    let video = match metric.optional_text("videoID")? {
        Some(video) => video.to_owned(),
        None => id.split('-').next().unwrap_or(&id).to_owned(),
    };
    let names = [
        ("duration", "duration"),
        ("domain", "category"),
        ("sub_category", "sub_category"),
        ("task_type", "task_category"),
    ];
    let groups = names.into_iter().map(|(name, key)| Ok((name.to_owned(), metric.text(key)?.to_owned())));
    Ok(known(metric, id, video, groups.collect::<Result<_>>()?))
}

fn mlvu(metric: &Row, join: &mut Join<'_>) -> Result<Sample> {
    let question = metric.text("question_id")?.to_owned();
    if join.samples.is_none() {
        join.remark("the log names no videos: without --data, questions on one video count as independent");
    }
    let kind = task_name(metric.text("task_type")?, join.task);
    let groups = vec![("task_type".to_owned(), kind.to_owned())];
    let mut sample = known(metric, question.clone(), question.clone(), groups);
    sample.question = question;
    Ok(sample)
}

fn longvideobench(metric: &Row, join: &mut Join<'_>) -> Result<Sample> {
    if join.samples.is_none() {
        join.remark(
            "the log holds no options: without --data, profile lvb-0.2 cannot look for them in the answers",
        );
    }
    let id = metric.text("id")?.to_owned();
    // Question 3 of video xyz is xyz_3.
    let video = id.rsplit_once('_').map_or(id.clone(), |(video, _)| video.to_owned());
    for key in ["duration_group", "question_category"] {
        metric.label(key)?.ok_or_else(|| metric.missing(key))?;
    }
    Ok(known(metric, id, video, metric.groups(&["duration_group", "question_category"])?))
}
