//! MLVU: the official files, one a task, whose answers are texts; and lmms-eval's rows, whose answers are letters and
//! whose questions hold the options.

use super::find::{Source, inside};
use super::rows::{Row, shown};
use super::{NO_GOLD, checked_gold, letter};
use crate::{Benchmark, Result, Sample, Task};
use std::path::{Path, PathBuf};

/// Where the annotations of the development set are.
pub(crate) const DEV_PATTERNS: &[&str] = &[
    "json/?_*.json",
    "MLVU/json/?_*.json",
    "data/?_*.json",
    "?_*.json",
    "**/test*.parquet",
    "**/*.parquet",
    "**/test*.jsonl",
    "**/test*.json",
    "*.jsonl",
    "*.json",
];

/// Where those of the test set are.
pub(crate) const TEST_PATTERNS: &[&str] = &[
    "**/test_question.json",
    "**/test_mcq_gt.json",
    "**/test*.parquet",
    "**/*.parquet",
    "**/test*.jsonl",
    "**/test*.json",
    "*.jsonl",
    "*.json",
];

/// The columns that are read, of both forms.
pub(crate) const KEYS: &[&str] = &[
    "video",
    "video_name",
    "duration",
    "question",
    "candidates",
    "answer",
    "question_type",
    "task_type",
    "question_id",
];

/// Official file of every multiple-choice task of the development set; without `.json`, also its folder of videos.
const DEV_FILES: [&str; 7] =
    ["1_plotQA", "2_needle", "3_ego", "4_count", "5_order", "6_anomaly_reco", "7_topic_reasoning"];

/// Letters that a right answer may have where the candidates are not known.
const ALPHABET: usize = 26;

/// Types of questions without options, as annotated.
const GENERATIVE: [&str; 4] = ["subPlot", "sub_scene", "summary", "sub_plot"];

pub(crate) fn sample(row: &Row, source: &Source<'_>) -> Result<Sample> {
    if row.has("video_name") || row.has("task_type") { lmms(row, source) } else { official(row, source) }
}

/// Whether an MLVU row asks for free text.
pub(crate) fn is_generative(row: &Row, source: &Source<'_>) -> bool {
    let is = |key| row.optional_text(key).ok().flatten().is_some_and(|kind| GENERATIVE.contains(&kind));
    source.task.benchmark() == Benchmark::Mlvu && (is("question_type") || is("task_type"))
}

/// A remark where some of the official task files are missing.
pub(crate) fn missing_files(task: Task, files: &[PathBuf]) -> Option<String> {
    let is_there = |name: &&str| files.iter().any(|file| file.file_stem().is_some_and(|stem| stem == *name));
    let missing: Vec<&str> = DEV_FILES.into_iter().filter(|name| !is_there(name)).collect();
    let some = task == Task::MlvuDev && !missing.is_empty() && missing.len() < DEV_FILES.len();
    some.then(|| format!("MLVU's {}.json are not here: their tasks are not asked", missing.join(".json, ")))
}

/// The question as lmms-eval's rows have it, options inside: what its prompts are built of.
///
/// An official sample's options are appended, `\n(A) …` and so on; an lmms-eval sample's question is that already.
pub fn lmms_mlvu_question(sample: &Sample) -> String {
    let mut question = sample.question.clone();
    for (index, option) in sample.options.iter().enumerate() {
        question.push_str(&format!("\n({}) {option}", letter(index).unwrap_or('?')));
    }
    question
}

/// A row of the official files. The right answer is the last candidate that equals it.
fn official(row: &Row, source: &Source<'_>) -> Result<Sample> {
    let video = row.text("video")?;
    let kind = task_name(row.text("question_type")?, source.task).to_owned();
    let options = row.texts("candidates")?;
    let answer = answer(row, source)?;
    let mut issues = Vec::new();
    let gold = answer.map(|answer| gold_of_text(answer, &options, &mut issues));
    build(row, source, Parts { video, key: "video", kind, options, gold, issues })
}

/// A row of lmms-eval's data sets: the answer is a letter, the candidates only serve to check it.
fn lmms(row: &Row, source: &Source<'_>) -> Result<Sample> {
    let video = row.text("video_name")?;
    let kind = task_name(row.text("task_type")?, source.task).to_owned();
    let answer = answer(row, source)?;
    // The types of the columns that no prompt needs are not published: whatever they are, the row can be asked.
    let candidates = row.optional_texts("candidates").ok().flatten();
    let mut issues = Vec::new();
    let count = candidates.map_or(ALPHABET, |candidates| candidates.len());
    let gold = answer.map(|answer| checked_gold(answer, count, &mut issues));
    build(row, source, Parts { video, key: "video_name", kind, options: Vec::new(), gold, issues })
}

/// The answer, None where it is hidden.
fn answer<'a>(row: &'a Row, source: &Source<'_>) -> Result<Option<&'a str>> {
    if source.hidden { row.optional_text("answer") } else { row.text("answer").map(Some) }
}

/// What the two forms differ in.
struct Parts<'a> {
    video: &'a str,
    key: &'a str,
    kind: String,
    options: Vec<String>,
    gold: Option<String>,
    issues: Vec<String>,
}

fn build(row: &Row, source: &Source<'_>, parts: Parts<'_>) -> Result<Sample> {
    let name = inside(row, parts.key, parts.video)?;
    let id = row.label("question_id")?.unwrap_or_else(|| format!("{}_{}", parts.kind, row.number));
    Ok(Sample {
        id,
        row: row.number,
        video_id: parts.video.into(),
        video: source.locate(video_places(&name, &parts.kind).into_iter()).0,
        subtitles: None,
        question: row.text("question")?.into(),
        options: parts.options,
        gold: parts.gold,
        groups: vec![("task_type".into(), parts.kind)],
        duration_secs: row.number("duration").ok().flatten(),
        subtitle_offset_secs: 0.0,
        issues: parts.issues,
    })
}

/// The official folder of the task's videos first.
fn video_places(name: &Path, kind: &str) -> Vec<PathBuf> {
    let numbered = DEV_FILES.into_iter().find(|file| file.get(2..) == Some(kind));
    let folders = numbered.into_iter().chain([kind, ""]);
    let tops = ["video", "MLVU/video", "videos", ""];
    // A task's name is the file's: it may be no plain folder name.
    let folders: Vec<&str> = folders.filter(|folder| !folder.contains(['/', '\\', '.'])).collect();
    tops.iter()
        .flat_map(|top| folders.iter().map(move |folder| Path::new(top).join(folder).join(name)))
        .collect()
}

/// lmms-eval's name of a task for the official one's type of question.
pub(super) fn task_name(question_type: &str, task: Task) -> &str {
    match (question_type, task) {
        ("findNeedle" | "needleQA", Task::MlvuDev) => "needle",
        ("findNeedle" | "needle", Task::MlvuTest) => "needleQA",
        (other, _) => other,
    }
}

fn gold_of_text(answer: &str, options: &[String], issues: &mut Vec<String>) -> String {
    if options.is_empty() {
        issues.push("there are no candidates".into());
        return NO_GOLD.into();
    }
    let equal = options.iter().filter(|option| *option == answer).count();
    let last = options.iter().rposition(|option| option == answer).and_then(letter);
    match last {
        Some(letter) => {
            if equal > 1 {
                issues.push(format!(
                    "{equal} candidates equal the right answer: the last one, {letter}, counts"
                ));
            }
            letter.to_string()
        }
        None => {
            issues.push(format!(
                "the right answer {} is none of the {} candidates",
                shown(answer),
                options.len()
            ));
            NO_GOLD.into()
        }
    }
}
