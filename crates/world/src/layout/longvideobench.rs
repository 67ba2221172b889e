//! LongVideoBench's form: a Parquet file and `lvb_val.json` with the same rows, `videos/`, `subtitles/`.

use super::table::{self, Values};
use super::{Job, capitalised};
use crate::questions::{Question, QuestionKind};
use crate::random::Random;
use crate::settings::Range;
use crate::subtitles::{clock, speech};
use crate::{Result, files};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;

/// What the groups 15, 60, 600 and 3600 hold.
pub(super) const LENGTHS_SECS: [Range<f64>; 4] =
    [Range::new(8.0, 15.0), Range::new(15.0, 60.0), Range::new(180.0, 600.0), Range::new(900.0, 3600.0)];

const GROUPS: [i64; 4] = [15, 60, 600, 3600];

/// Options of the Parquet file; those that a question lacks are `N/A`.
const MAX_OPTIONS: usize = 5;

/// The benchmark's 17 label names, shared out among our kinds of questions.
fn categories(kind: QuestionKind) -> &'static [&'static str] {
    match kind {
        QuestionKind::Which => &["S2A", "O2E", "T2A"],
        QuestionKind::WhatNumber => &["S2O", "E2O", "T2O"],
        QuestionKind::IsThere | QuestionKind::Describe => &["S2E", "T2E"],
        QuestionKind::First => &["O3O", "T3O", "TOS"],
        QuestionKind::Next => &["E3E", "T3E"],
        QuestionKind::HowMany => &["SOS", "SAA"],
        QuestionKind::When => &["SSS", "TAA"],
    }
}

/// A row of `lvb_val.json`; the Parquet file has the first part of it.
#[derive(Serialize)]
struct Row {
    video_id: String,
    id: String,
    video_path: String,
    subtitle_path: String,
    correct_choice: usize,
    question: String,
    candidates: Vec<String>,
    duration: f64,
    duration_group: i64,
    question_category: &'static str,
    topic_category: &'static str,
    starting_timestamp_for_subtitles: f64,
    level: &'static str,
    position: Vec<u64>,
    question_wo_referring_query: String,
    view_count: u64,
}

pub(super) fn write(jobs: &[Job], out: &Path) -> Result<()> {
    let rows: Vec<Row> = jobs
        .iter()
        .flat_map(|job| {
            job.questions.iter().enumerate().map(move |(number, question)| row(job, number, question))
        })
        .collect();
    files::write_json(&out.join("lvb_val.json"), &rows)?;
    write_table(&rows, &out.join("validation-00000-of-00001.parquet"))?;
    write_subtitles(jobs, out)
}

fn row(job: &Job, number: usize, question: &Question) -> Row {
    let categories = categories(question.kind);
    let category = categories[(job.index + number) % categories.len()];
    let single = question.cards.len() < 2;
    let position =
        |&card: &usize| (job.script.cards[card].first_frame + job.script.cards[card].last_frame) / 2;
    Row {
        video_id: job.name.clone(),
        id: format!("{}_{number}", job.name),
        video_path: format!("{}.mp4", job.name),
        subtitle_path: subtitle_name(job),
        correct_choice: question.gold.unwrap_or_default(),
        question: question.question.clone(),
        candidates: question.candidates.iter().map(|candidate| capitalised(candidate)).collect(),
        duration: job.script.duration_secs,
        duration_group: GROUPS[job.group],
        question_category: category,
        topic_category: "SYN-Synthetic-Cards",
        starting_timestamp_for_subtitles: subtitle_start_secs(job),
        level: if single { "L1-Perception" } else { "L2-Relation" },
        position: question.cards.iter().map(position).collect(),
        question_wo_referring_query: question.question.clone(),
        view_count: job.script.seed % 1_000_000,
    }
}

fn write_table(rows: &[Row], path: &Path) -> Result<()> {
    let text =
        |value: &dyn Fn(&Row) -> &str| Values::Text(rows.iter().map(|row| value(row).to_owned()).collect());
    let option = |place: usize| {
        let of = |row: &Row| row.candidates.get(place).map_or("N/A", String::as_str).to_owned();
        Values::Text(rows.iter().map(of).collect())
    };
    let names: Vec<String> = (0..MAX_OPTIONS).map(|place| format!("option{place}")).collect();
    let mut columns = vec![
        ("video_id", text(&|row| &row.video_id)),
        ("id", text(&|row| &row.id)),
        ("video_path", text(&|row| &row.video_path)),
        ("subtitle_path", text(&|row| &row.subtitle_path)),
        ("correct_choice", Values::Int(rows.iter().map(|row| row.correct_choice as i64).collect())),
        ("question", text(&|row| &row.question)),
    ];
    columns.extend(names.iter().enumerate().map(|(place, name)| (name.as_str(), option(place))));
    columns.extend([
        ("duration", Values::Float(rows.iter().map(|row| row.duration).collect())),
        ("duration_group", Values::Int(rows.iter().map(|row| row.duration_group).collect())),
        ("question_category", text(&|row| row.question_category)),
        ("topic_category", text(&|row| row.topic_category)),
        (
            "starting_timestamp_for_subtitles",
            Values::Float(rows.iter().map(|row| row.starting_timestamp_for_subtitles).collect()),
        ),
    ]);
    table::write(path, &columns)
}

fn subtitle_name(job: &Job) -> String {
    format!("{}_en.json", job.name)
}

/// Some videos are pieces of longer ones, whose subtitles count from the longer one's start.
fn subtitle_start_secs(job: &Job) -> f64 {
    let mut random = Random::new(job.script.seed, "subtitle start", 0);
    if random.chance(0.3) { random.within(1, 600) as f64 } else { 0.0 }
}

/// Both published forms: `timestamp` with `text` for every other video, `start` and `end` with `line` for the rest.
fn write_subtitles(jobs: &[Job], out: &Path) -> Result<()> {
    let folder = out.join("subtitles");
    files::create_folder(&folder)?;
    for job in jobs {
        let start = subtitle_start_secs(job);
        let cue = |cue: &crate::subtitles::Cue| -> Value {
            let (from, to) = (cue.from_secs + start, cue.to_secs + start);
            if job.index % 2 == 0 {
                json!({ "timestamp": [from, to], "text": cue.text })
            } else {
                json!({ "start": clock(from, '.'), "end": clock(to, '.'), "line": cue.text })
            }
        };
        let cues: Vec<Value> = speech(&job.script).iter().map(cue).collect();
        files::write_json(&folder.join(subtitle_name(job)), &cues)?;
    }
    Ok(())
}
