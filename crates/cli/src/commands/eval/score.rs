//! What is done with responses and runs that are there.

use super::prepare::check_profile;
use super::task::show;
use crate::args::eval::{CompareArgs, MergeArgs, ReportArgs, ScoreArgs};
use crate::out::{note, write_json, write_text};
use crate::words;
use anyhow::{Result, ensure};
use longsight_eval::data::{self, LoadSettings};
use longsight_eval::report::{self, Meter, ReportInput};
use longsight_eval::run::{compare_runs, merge as merge_shards, summarise};
use longsight_eval::score::Scorer;
use longsight_eval::{Benchmark, Record, Task};
use longsight_report::write_atomically;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// `longsight eval score`.
pub fn score(args: &ScoreArgs) -> Result<()> {
    let profile = args.profile.unwrap_or(args.task.default_profile());
    check_profile(args.task, profile)?;
    let load = |folder: &std::path::PathBuf| data::load(args.task, folder, &LoadSettings::default());
    let loaded = args.data.as_ref().map(load).transpose()?;
    let (mut scorer, mut meter) = (Scorer::new(args.task, profile), Meter::default());
    let samples = loaded.as_ref().map(|loaded| &loaded.samples[..]);
    let mut ids = HashSet::new();
    let mut responses = data::responses(args.task, &args.responses, samples)?;
    for record in &mut responses {
        let record = record?;
        ensure!(
            belongs(args.task, &record),
            "{}: {} is no question of {}; name the task that was asked",
            args.responses.display(),
            record.id,
            args.task
        );
        let path = args.responses.display();
        ensure!(ids.insert(digest(&record.id)), "{path}: {} is there twice; remove one", record.id);
        meter.add(&record);
        scorer.push(&record);
    }
    responses.remarks().iter().for_each(|remark| note(&format!("longsight: {remark}")));
    let results = scorer.finish();
    ensure!(results.counts.samples > 0, "{}: holds no responses", args.responses.display());
    if args.json {
        return write_json(&results);
    }
    write_text(&report::table(&results, &meter.finish()))
}

/// 64 bits of an id, so that keeping all of them costs next to nothing: among 100,000 ids two are taken for one with a
/// probability below one in a billion.
fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Whether a record's labels can be those of a task: another benchmark's answers would all count as wrong.
fn belongs(task: Task, record: &Record) -> bool {
    let label = match task.benchmark() {
        Benchmark::VideoMme => "duration",
        Benchmark::Mlvu => "task_type",
        Benchmark::LongVideoBench => "duration_group",
        Benchmark::World => "kind",
    };
    let has = |name: &str| record.groups.iter().any(|(key, _)| key == name);
    record.groups.is_empty() || (has(label) && (task.benchmark() != Benchmark::Mlvu || !has("domain")))
}

/// `longsight eval compare`.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let compared = compare_runs(&args.run_a, &args.run_b)?;
    let comparison = &compared.comparison;
    if let Some(path) = &args.report {
        let runs = vec![summarise(&args.run_a)?, summarise(&args.run_b)?];
        let html = report::html(&ReportInput { runs, comparison: Some(comparison.clone()) });
        write_report(path, &html)?;
    }
    if args.json {
        return write_json(&compared);
    }
    let differences = match &compared.differences[..] {
        [] => "no setting differs".into(),
        some => format!("settings, of the first there and of the second now: {}", some.join("; ")),
    };
    let (a, b) = (words::path(&args.run_a), words::path(&args.run_b));
    let text = report::comparison_text(comparison);
    write_text(&format!("first run {a}, second run {b}\n{differences}\n{text}"))
}

/// `longsight eval merge`.
pub fn merge(args: &MergeArgs) -> Result<()> {
    show(&merge_shards(&args.shards, &args.out)?, args.json, false)
}

/// `longsight eval report`.
pub fn report(args: &ReportArgs) -> Result<()> {
    let runs = args.runs.iter().map(|run| Ok(summarise(run)?)).collect::<Result<_>>()?;
    write_report(&args.out, &report::html(&ReportInput { runs, comparison: None }))
}

fn write_report(path: &Path, html: &str) -> Result<()> {
    write_atomically(path, html.as_bytes())?;
    note(&format!("wrote {}", words::path(path)));
    Ok(())
}
