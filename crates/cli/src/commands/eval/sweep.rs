use super::prepare::{Bench, distinct};
use super::watch::RunWatch;
use crate::args::eval::SweepArgs;
use crate::out::{note, write_json, write_text};
use crate::words;
use anyhow::{Context, Result, ensure};
use longsight_eval::report::{SweepRow, sweep_tables};
use longsight_eval::run::{EvalSettings, RunFolder, Variant, finish, run as ask_all, summarise};
use longsight_method::{ContextMethod, PoolSpec};
use longsight_report::write_atomically;
use longsight_video::FrameBudget;
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One setting of the grid, with a folder of its own.
struct Setting {
    frames: usize,
    context: ContextMethod,
    pool: PoolSpec,
    folder: PathBuf,
}

/// `longsight eval sweep`.
pub fn run(args: &SweepArgs) -> Result<()> {
    let run = &args.run;
    let video = &run.video;
    let frames = video.frames.is_some() || video.fps.is_some() || video.max_frames.is_some();
    ensure!(
        !frames && run.method.pool.is_none(),
        "a sweep takes its frames and poolings from --frame-counts and --pools, not --frames, --fps, --max-frames or \
         --pool"
    );
    let out = &args.source.out;
    ensure!(
        !out.join("manifest.json").exists(),
        "{}: holds something else than a sweep; give another --out",
        out.display()
    );
    let bench = Bench::prepare(args.task, &args.source, None, run)?;
    let grid = grid(args);
    let mut counts = Vec::new();
    for frames in &args.frame_counts {
        let settings = with_frames(&bench.settings, *frames);
        let here = grid.iter().filter(|setting| setting.frames == *frames);
        let variants = here.map(|setting| variant(&bench, &settings, setting)).collect::<Result<Vec<_>>>()?;
        counts.push((settings, variants));
    }
    let first = bench.samples.first().map(|sample| sample.id.clone()).unwrap_or_default();
    let (samples, _, model) = bench.load()?;
    if run.json {
        write_json(&json!({ "event": "start", "samples": samples.len(), "settings": grid.len() }))?;
    }
    for (settings, mut variants) in counts {
        let mut watch = RunWatch::new(run.json, run.engine.quiet, samples.len() * variants.len());
        let outcome = ask_all(&model, &samples, &settings, &mut variants, &mut watch);
        watch.finish()?;
        outcome?;
    }
    drop(model); // so that the memory runs have the machine to themselves
    let rows = grid.iter().map(|setting| row(args, setting, &first)).collect::<Result<Vec<_>>>()?;
    write(args, &rows)
}

fn grid(args: &SweepArgs) -> Vec<Setting> {
    let mut grid = Vec::new();
    for frames in &distinct(&args.frame_counts) {
        for pool in &distinct(&args.pools) {
            for context in &distinct(&args.contexts) {
                let name = format!("{frames}-frames_{context}_{}", pool.to_string().replace(',', "-"));
                let folder = args.source.out.join(name);
                grid.push(Setting { frames: *frames, context: *context, pool: *pool, folder });
            }
        }
    }
    grid
}

fn with_frames(settings: &EvalSettings, frames: usize) -> EvalSettings {
    let mut settings = settings.clone();
    settings.run.video.sample.budget = FrameBudget::Uniform { frames };
    settings
}

fn variant(bench: &Bench, settings: &EvalSettings, setting: &Setting) -> Result<Variant> {
    let mut own = settings.clone();
    own.run.context.method = setting.context;
    own.run.pool = Some(setting.pool);
    let folder = RunFolder::open(&setting.folder, &bench.manifest(&own))?;
    Ok(Variant { context: own.run.context, pool: own.run.pool, folder })
}

/// A setting's line of the tables.
fn row(args: &SweepArgs, setting: &Setting, sample: &str) -> Result<SweepRow> {
    finish(&setting.folder)?;
    let summary = summarise(&setting.folder)?;
    let all = &summary.measurements.all;
    let alone = if args.no_memory_runs { None } else { peak_alone(setting, sample)? };
    Ok(SweepRow {
        frames: setting.frames,
        context: setting.context,
        scale: all.scale.mean,
        pool: setting.pool,
        visual_tokens: all.visual_tokens.mean,
        peak_bytes: alone,
        results: summary.results,
    })
}

/// Memory is measured in a process of its own that asks one question under this setting alone: the sweep itself holds the
/// frames of all its settings.
fn peak_alone(setting: &Setting, sample: &str) -> Result<Option<u64>> {
    let out = setting.folder.join("memory");
    let program = std::env::current_exe().context("cannot find this program to measure memory with")?;
    let status = Command::new(program)
        .args(passed_on(std::env::args_os().skip(1)))
        .args(["--limit", "1", "--quiet", "--json", "--filter"])
        .arg(format!("id={sample}"))
        .args(["--frames", &setting.frames.to_string(), "--pool", &setting.pool.to_string()])
        .args(["--context", &setting.context.to_string(), "--out"])
        .arg(&out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("cannot start this program to measure memory with")?;
    ensure!(
        status.success(),
        "{}: measuring the memory of this setting failed (--no-memory-runs leaves it out)",
        out.display()
    );
    Ok(summarise(&out)?.measurements.all.peak_bytes)
}

/// The sweep's own command line as that of one task, for flags to be appended to (given twice, a flag counts as given
/// last): without `sweep` and what belongs to the grid, and without filters, which add up.
fn passed_on(typed: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const WITH_VALUE: [&str; 4] = ["--frame-counts", "--contexts", "--pools", "--filter"];
    let mut typed = typed;
    let mut kept: Vec<OsString> = typed.by_ref().take(1).collect();
    let mut rest = typed.skip(1);
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy();
        let (name, value) = text.split_once('=').map_or((&*text, None), |(name, value)| (name, Some(value)));
        if WITH_VALUE.contains(&name) {
            if value.is_none() {
                rest.next();
            }
        } else if name != "--no-memory-runs" {
            kept.push(word);
        }
    }
    kept
}

fn write(args: &SweepArgs, rows: &[SweepRow]) -> Result<()> {
    let out = &args.source.out;
    let tables = sweep_tables(rows);
    let file =
        |name: &str, bytes: &[u8]| -> Result<()> { Ok(write_atomically(&Path::new(out).join(name), bytes)?) };
    file("sweep.json", &serde_json::to_vec_pretty(rows)?)?;
    file("tables.md", tables.markdown.as_bytes())?;
    file("report.html", tables.html.as_bytes())?;
    if args.run.json {
        return write_json(&json!({ "event": "done", "rows": rows }));
    }
    write_text(&tables.terminal)?;
    if !args.run.engine.quiet {
        note(&format!("wrote sweep.json, tables.md and report.html into {}", words::path(out)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::passed_on;
    use std::ffi::OsString;

    #[test]
    fn a_memory_run_keeps_every_flag_but_the_grids() {
        let typed = "eval sweep videomme --data sweep --frame-counts 8,16 --contexts=none --filter duration=short \
                     --model M --pools uniform,2 --no-memory-runs --dtype f32";
        let kept = passed_on(typed.split_whitespace().map(OsString::from)).join(" ".as_ref());
        assert_eq!(kept, "eval videomme --data sweep --model M --dtype f32");
    }
}
