//! MLVU's forms. Its authors': `json/{task}.json` and `video/{task}/`. lmms-eval's: one Parquet file over the same videos.

use super::table::{self, Values};
use super::{Job, capitalised, letter};
use crate::questions::{Question, QuestionKind};
use crate::{Result, files};
use serde::Serialize;
use std::path::Path;

/// A task: its file and folder, its name in annotations, its name in lmms-eval, and what this world asks for it.
struct Task {
    folder: &'static str,
    question_type: &'static str,
    lmms_name: &'static str,
    kind: QuestionKind,
}

const fn task(
    folder: &'static str,
    question_type: &'static str,
    lmms_name: &'static str,
    kind: QuestionKind,
) -> Task {
    Task { folder, question_type, lmms_name, kind }
}

/// A kind for every task, so that no task stays empty.
const TASKS: [Task; 7] = [
    task("1_plotQA", "plotQA", "plotQA", QuestionKind::Next),
    task("2_needle", "findNeedle", "needle", QuestionKind::WhatNumber),
    task("3_ego", "ego", "ego", QuestionKind::When),
    task("4_count", "count", "count", QuestionKind::HowMany),
    task("5_order", "order", "order", QuestionKind::First),
    task("6_anomaly_reco", "anomaly_reco", "anomaly_reco", QuestionKind::IsThere),
    task("7_topic_reasoning", "topic_reasoning", "topic_reasoning", QuestionKind::Which),
];

/// A row as MLVU's authors write it.
#[derive(Serialize)]
struct Row {
    video: String,
    duration: f64,
    question: String,
    candidates: Vec<String>,
    answer: String,
    question_type: &'static str,
}

/// A video belongs to one task. Its name and its folder.
pub(super) fn place(index: usize) -> (String, String) {
    let task = &TASKS[index % TASKS.len()];
    (format!("{}_{}", task.lmms_name, index / TASKS.len() + 1), format!("video/{}", task.folder))
}

/// What is asked about a video: its task's kind.
pub(super) fn kinds(allowed: &[QuestionKind], index: usize) -> Vec<QuestionKind> {
    let kind = TASKS[index % TASKS.len()].kind;
    if allowed.contains(&kind) { vec![kind] } else { allowed.to_vec() }
}

fn candidates(question: &Question) -> Vec<String> {
    question.candidates.iter().map(|candidate| capitalised(candidate)).collect()
}

pub(super) fn write(jobs: &[Job], out: &Path) -> Result<()> {
    files::create_folder(&out.join("json"))?;
    for (number, task) in TASKS.iter().enumerate() {
        let own = jobs.iter().filter(|job| job.index % TASKS.len() == number);
        let row = |job: &Job, question: &Question| {
            let candidates = candidates(question);
            Row {
                video: format!("{}.mp4", job.name),
                duration: job.script.duration_secs,
                question: question.question.clone(),
                answer: question.gold.and_then(|gold| candidates.get(gold).cloned()).unwrap_or_default(),
                candidates,
                question_type: task.question_type,
            }
        };
        let rows: Vec<Row> =
            own.flat_map(|job| job.questions.iter().map(move |question| row(job, question))).collect();
        files::write_json(&out.join("json").join(format!("{}.json", task.folder)), &rows)?;
    }
    Ok(())
}

/// lmms-eval's rows hold the options inside the question, and the answer as a letter.
pub(super) fn write_lmms(jobs: &[Job], out: &Path) -> Result<()> {
    let rows: Vec<(&Job, &Question)> =
        jobs.iter().flat_map(|job| job.questions.iter().map(move |question| (job, question))).collect();
    let text = |value: &dyn Fn(&Job, &Question) -> String| {
        Values::Text(rows.iter().map(|(job, question)| value(job, question)).collect())
    };
    let with_options = |question: &Question| {
        let options = candidates(question).into_iter().enumerate();
        let lines = options.map(|(place, candidate)| format!("\n({}) {candidate}", letter(place)));
        question.question.clone() + &lines.collect::<String>()
    };
    let columns = [
        ("video_name", text(&|job, _| job.video.trim_start_matches("video/").into())),
        ("duration", Values::Float(rows.iter().map(|(job, _)| job.script.duration_secs).collect())),
        ("question", text(&|_, question| with_options(question))),
        ("candidates", Values::TextList(rows.iter().map(|(_, question)| candidates(question)).collect())),
        ("answer", text(&|_, question| question.gold.map(letter).map(String::from).unwrap_or_default())),
        ("task_type", text(&|job, _| TASKS[job.index % TASKS.len()].lmms_name.into())),
        ("question_id", Values::Text((0..rows.len()).map(|row| row.to_string()).collect())),
    ];
    table::write(&out.join("data").join("test-00000-of-00001.parquet"), &columns)
}
