//! Video-MME's form: one Parquet file, `data/{videoID}.mp4`, `subtitle/{videoID}.srt`.

use super::table::{self, Values};
use super::{Job, capitalised, letter};
use crate::questions::QuestionKind;
use crate::random::Random;
use crate::settings::Range;
use crate::subtitles::{clock, speech};
use crate::{Result, files};
use std::fmt::Write;
use std::path::Path;

/// Short, medium, long.
pub(super) const LENGTHS_SECS: [Range<f64>; 3] =
    [Range::new(1.0, 120.0), Range::new(240.0, 900.0), Range::new(1800.0, 3600.0)];

const LENGTHS: [&str; 3] = ["short", "medium", "long"];

/// The benchmark's own label names: domains with their sub-categories.
const DOMAINS: [(&str, &[&str]); 6] = [
    (
        "Knowledge",
        &[
            "Humanity & History",
            "Literature & Art",
            "Biology & Medicine",
            "Finance & Commerce",
            "Astronomy",
            "Geography",
            "Law",
            "Life Tip",
            "Technology",
        ],
    ),
    ("Film & Television", &["Animation", "Movie & TV Show", "Documentary", "News Report"]),
    ("Sports Competition", &["Esports", "Basketball", "Football", "Athletics", "Other Sports"]),
    ("Artistic Performance", &["Stage Play", "Magic Show", "Variety Show", "Acrobatics"]),
    ("Life Record", &["Handicraft", "Food", "Fashion", "Daily Life", "Travel", "Pet & Animal", "Exercise"]),
    ("Multilingual", &["Multilingual"]),
];

/// The benchmark's nearest label. The others (actions, places) have no counterpart in this world.
fn task_type(kind: QuestionKind) -> &'static str {
    match kind {
        QuestionKind::Which => "Attribute Perception",
        QuestionKind::WhatNumber => "OCR Problems",
        QuestionKind::IsThere => "Object Recognition",
        QuestionKind::First => "Temporal Reasoning",
        QuestionKind::Next => "Object Reasoning",
        QuestionKind::HowMany => "Counting Problem",
        QuestionKind::When => "Temporal Perception",
        QuestionKind::Describe => "Information Synopsis",
    }
}

pub(super) fn write(jobs: &[Job], out: &Path) -> Result<()> {
    let rows: Vec<_> =
        jobs.iter().flat_map(|job| job.questions.iter().enumerate().map(move |row| (job, row))).collect();
    let text = |value: &dyn Fn(&Job, usize) -> String| {
        Values::Text(rows.iter().map(|(job, (number, _))| value(job, *number)).collect())
    };
    let video_id = |job: &Job| format!("{:03}", job.index + 1);
    let options = |job: &Job, number: usize| -> Vec<String> {
        let lettered =
            |(place, candidate): (usize, &String)| format!("{}. {}.", letter(place), capitalised(candidate));
        job.questions[number].candidates.iter().enumerate().map(lettered).collect()
    };
    let columns = [
        ("video_id", text(&|job, _| video_id(job))),
        ("duration", text(&|job, _| LENGTHS[job.group].into())),
        ("domain", text(&|job, _| labels(job).0.into())),
        ("sub_category", text(&|job, _| labels(job).1.into())),
        ("url", text(&|job, _| format!("https://example.org/watch?v={}", job.name))),
        ("videoID", text(&|job, _| job.name.clone())),
        ("question_id", text(&|job, number| format!("{}-{}", video_id(job), number + 1))),
        ("task_type", text(&|job, number| task_type(job.questions[number].kind).into())),
        ("question", text(&|job, number| job.questions[number].question.clone())),
        ("options", Values::TextList(rows.iter().map(|(job, (number, _))| options(job, *number)).collect())),
        (
            "answer",
            text(&|job, number| job.questions[number].gold.map(letter).map(String::from).unwrap_or_default()),
        ),
    ];
    table::write(&out.join("videomme").join("test-00000-of-00001.parquet"), &columns)?;
    write_subtitles(jobs, out)
}

/// Domains in turn, one for every three videos (one of each length); then their sub-categories.
fn labels(job: &Job) -> (&'static str, &'static str) {
    let round = job.index / LENGTHS.len();
    let (domain, sub_categories) = DOMAINS[round % DOMAINS.len()];
    (domain, sub_categories[round / DOMAINS.len() % sub_categories.len()])
}

/// As in the benchmark, all long videos have subtitles and most others.
fn write_subtitles(jobs: &[Job], out: &Path) -> Result<()> {
    let folder = out.join("subtitle");
    files::create_folder(&folder)?;
    for job in jobs {
        let long = job.group == LENGTHS.len() - 1;
        if !long && Random::new(job.script.seed, "has subtitles", 0).chance(0.3) {
            continue;
        }
        let mut srt = String::new();
        for (number, cue) in speech(&job.script).iter().enumerate() {
            let (from, to) = (clock(cue.from_secs, ','), clock(cue.to_secs, ','));
            // Writing to a string cannot fail.
            let _ = write!(
                srt,
                "{}\n{from} --> {to}\n<font color=\"white\" size=\".72c\">{}</font>\n\n",
                number + 1,
                cue.text
            );
        }
        files::write(&folder.join(format!("{}.srt", job.name)), srt)?;
    }
    Ok(())
}
