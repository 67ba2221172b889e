//! Annotation files and answers made elsewhere, as the benchmarks and lmms-eval publish them.
//!
//! Unknown columns are ignored. A missing or mistyped required field is refused, naming file, row and key; so is a
//! file name that leaves the folder. What can be asked although the annotation is wrong (no candidates, a right answer
//! outside them, an id that occurs twice) is kept, and said in [`Sample::issues`]. A missing video is no error here:
//! whoever asks the question reports it.

mod find;
mod items;
mod longvideobench;
mod mlvu;
mod parquet;
pub mod responses;
mod rows;
mod videomme;
mod world;

pub use mlvu::lmms_mlvu_question;
pub use responses::responses;

use crate::{Benchmark, Result, Sample, Task};
use find::Source;
use rows::{Row, file_error};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The gold of a question that no answer is right for.
pub const NO_GOLD: &str = "@";

/// What to load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadSettings {
    /// LongVideoBench: the test split, whose answers are hidden, instead of validation.
    pub test_split: bool,
}

/// A benchmark's questions.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// In the order of the files, and of the rows in them.
    pub samples: Vec<Sample>,
    /// The annotation files that were read.
    pub files: Vec<PathBuf>,
    /// What the user should know, one line each: questions left out, parts that are missing.
    pub remarks: Vec<String>,
}

/// Loads a task's questions from the folder that the benchmark was downloaded to.
///
/// Errors: no annotations are found, a file cannot be read, or a row lacks a required field.
pub fn load(task: Task, folder: &Path, settings: &LoadSettings) -> Result<Loaded> {
    let files = find::annotations(task, folder, patterns(task, settings))?;
    let hidden = task == Task::MlvuTest || settings.test_split;
    let source = Source { task, folder: Some(folder), hidden };
    let mut loaded = Loaded::default();
    let (mut ids, mut generative, mut choices) = (HashSet::new(), 0, 0);
    for file in &files {
        for row in rows::open(file, keys(task))? {
            let row = row?;
            if mlvu::is_generative(&row, &source) {
                generative += 1;
                continue;
            }
            if task == Task::World && world::has_candidates(&row)? {
                choices += 1;
                continue;
            }
            let mut sample = sample(&row, &source)?;
            sample.row = loaded.samples.len();
            make_unique(&mut sample, &mut ids);
            loaded.samples.push(sample);
        }
    }
    if loaded.samples.is_empty() {
        let first = files.first().map_or(folder, PathBuf::as_path);
        return Err(file_error(first, format!("holds no question of {task}")));
    }
    if generative > 0 {
        loaded.remarks.push(format!(
            "{generative} generative questions (sub-scene captioning, summaries) are left out: they have no options"
        ));
    }
    if choices > 0 {
        loaded.remarks.push(format!(
            "{choices} multiple-choice questions are left out: a world in a benchmark's --layout asks those"
        ));
    }
    loaded.remarks.extend(mlvu::missing_files(task, &files));
    loaded.files = files;
    Ok(loaded)
}

/// Where annotations are looked for: the first pattern that matches counts.
fn patterns(task: Task, settings: &LoadSettings) -> &'static [&'static str] {
    match task {
        Task::VideoMme | Task::VideoMmeSubs => videomme::PATTERNS,
        Task::MlvuDev => mlvu::DEV_PATTERNS,
        Task::MlvuTest => mlvu::TEST_PATTERNS,
        Task::LongVideoBench | Task::LongVideoBenchSubs if settings.test_split => {
            longvideobench::TEST_PATTERNS
        }
        Task::LongVideoBench | Task::LongVideoBenchSubs => longvideobench::VALIDATION_PATTERNS,
        Task::World => world::PATTERNS,
    }
}

/// The columns that are read.
fn keys(task: Task) -> &'static [&'static str] {
    match task.benchmark() {
        Benchmark::VideoMme => videomme::KEYS,
        Benchmark::Mlvu => mlvu::KEYS,
        Benchmark::LongVideoBench => longvideobench::KEYS,
        Benchmark::World => world::KEYS,
    }
}

/// One row as a sample; its place among the others is the row's number in its file.
fn sample(row: &Row, source: &Source<'_>) -> Result<Sample> {
    match source.task.benchmark() {
        Benchmark::VideoMme => videomme::sample(row, source),
        Benchmark::Mlvu => mlvu::sample(row, source),
        Benchmark::LongVideoBench => longvideobench::sample(row, source),
        Benchmark::World => world::sample(row, source),
    }
}

/// An id that occurs again gets a number: results are joined by id.
fn make_unique(sample: &mut Sample, ids: &mut HashSet<String>) {
    if ids.insert(sample.id.clone()) {
        return;
    }
    let named = (2..).map(|number| format!("{}#{number}", sample.id)).find(|id| !ids.contains(id));
    let named = named.unwrap_or_default();
    sample.issues.push(format!(
        "the id {} occurs before: called {}",
        rows::shown(&sample.id),
        rows::shown(&named)
    ));
    ids.insert(named.clone());
    sample.id = named;
}

/// The letter of an option, from 0.
fn letter(index: usize) -> Option<char> {
    u8::try_from(index).ok().filter(|index| *index < 26).map(|index| char::from(b'A' + index))
}

/// A gold letter as annotated, or [`NO_GOLD`] with an issue where it is not among the options.
fn checked_gold(gold: &str, options: usize, issues: &mut Vec<String>) -> String {
    if options == 0 {
        issues.push("there are no candidates".into());
        return NO_GOLD.into();
    }
    if (0..options).filter_map(letter).any(|letter| gold == letter.to_string()) {
        return gold.into();
    }
    issues.push(format!("the right answer {} is none of the {options} candidates", rows::shown(gold)));
    NO_GOLD.into()
}
