use super::prepare::Bench;
use super::watch::RunWatch;
use crate::args::eval::TaskArgs;
use crate::out::{note, write_json, write_text};
use crate::words;
use anyhow::{Result, bail};
use longsight_eval::run::{Finished, RunFolder, Variant, finish, run as ask_all};
use longsight_eval::{Task, report};
use serde_json::json;

/// `longsight eval TASK`.
pub fn run(task: Task, args: &TaskArgs) -> Result<()> {
    let (run, source) = (&args.run, &args.source);
    let bench = Bench::prepare(task, source, args.shard, run)?;
    let mut folder = RunFolder::open(&source.out, &bench.manifest(&bench.settings))?;
    if args.retry_failed {
        folder.forget_failures()?;
    }
    let pending = bench.samples.iter().filter(|sample| !folder.done.contains(&sample.id)).count();
    if run.json {
        let (samples, done) = (bench.samples.len(), bench.samples.len() - pending);
        write_json(&json!({ "event": "start", "task": task, "samples": samples, "done": done }))?;
    }
    if pending > 0 {
        let (samples, settings, model) = bench.load()?;
        let mut watch = RunWatch::new(run.json, run.engine.quiet, samples.len());
        let context = settings.run.context.clone();
        let mut variants = [Variant { context, pool: settings.run.pool, folder }];
        let outcome = ask_all(&model, &samples, &settings, &mut variants, &mut watch);
        watch.finish()?;
        outcome?;
    }
    let finished = finish(&source.out)?;
    show(&finished, run.json, run.engine.quiet)?;
    let counts = &finished.results.counts;
    if let (0, Some(failure)) = (counts.answered, finished.results.failures.first()) {
        bail!("no question was answered; the first failure: {}", failure.reason);
    }
    if counts.failed > 0 && !run.engine.quiet {
        let failed = counts.failed;
        note(&format!("{failed} questions failed with their videos: mend these, then add --retry-failed"));
    }
    Ok(())
}

/// Prints what a run came to.
pub fn show(finished: &Finished, json: bool, quiet: bool) -> Result<()> {
    let Finished { results, measurements, missing, files } = finished;
    if json {
        return write_json(
            &json!({ "event": "done", "results": results, "missing": missing, "files": files }),
        );
    }
    write_text(&report::table(results, measurements))?;
    if quiet {
        return Ok(());
    }
    if *missing > 0 {
        note(&format!(
            "{missing} samples of the selection are not in this run (other shards, or not asked yet)"
        ));
    }
    for file in files {
        note(&format!("wrote {}", words::path(file)));
    }
    Ok(())
}
