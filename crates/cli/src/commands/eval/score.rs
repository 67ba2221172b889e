//! What is done with responses and runs that are there.

use super::task::show;
use crate::args::eval::{CompareArgs, MergeArgs, ReportArgs, ScoreArgs};
use crate::commands::{note, write_json, write_out};
use anyhow::{Result, ensure};
use longsight_eval::data::{self, LoadSettings};
use longsight_eval::report::{self, Meter, ReportInput, write_atomically};
use longsight_eval::run::{compare_runs, merge as merge_shards, summarise};
use longsight_eval::score::Scorer;
use std::path::Path;

/// `longsight eval score`.
pub fn score(args: &ScoreArgs) -> Result<()> {
    let profile = args.profile.unwrap_or(args.task.default_profile());
    ensure!(
        profile.benchmark() == args.task.benchmark(),
        "--profile {profile} belongs to another benchmark than {}",
        args.task
    );
    let load = |folder: &std::path::PathBuf| data::load(args.task, folder, &LoadSettings::default());
    let loaded = args.data.as_ref().map(load).transpose()?;
    let (mut scorer, mut meter) = (Scorer::new(args.task, profile), Meter::default());
    let samples = loaded.as_ref().map(|loaded| &loaded.samples[..]);
    let mut responses = data::responses(args.task, &args.responses, samples)?;
    for record in &mut responses {
        let record = record?;
        meter.add(&record);
        scorer.push(&record);
    }
    responses.remarks().iter().for_each(|remark| note(&format!("longsight: {remark}")));
    let results = scorer.finish();
    ensure!(results.counts.samples > 0, "{}: holds no responses", args.responses.display());
    if args.json {
        return write_json(&results);
    }
    write_out(report::table(&results, &meter.finish()).as_bytes())
}

/// `longsight eval compare`.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let comparison = compare_runs(&args.run_a, &args.run_b)?;
    if let Some(path) = &args.report {
        let runs = vec![summarise(&args.run_a)?, summarise(&args.run_b)?];
        let html = report::html(&ReportInput { runs, comparison: Some(comparison.clone()) });
        write_report(path, &html)?;
    }
    if args.json {
        return write_json(&comparison);
    }
    write_out(report::comparison_text(&comparison).as_bytes())
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
    note(&format!("wrote {}", path.display()));
    Ok(())
}
