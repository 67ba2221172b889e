//! `longsight-bench`: what the machine can do ([`roofline`]), how fast the stages of a run are ([`stages`]) and how much
//! memory a whole run takes ([`memory`]). Rates are medians of repeats beside their extremes; nothing is extrapolated.
//!
//! Models are seeded random weights in published shapes ([`seeded`]): speed and memory do not depend on the values.
//! What is measured is what the engine calls (`Lmm::features`, `Prefill`, `generate`), so that no figure is of code that users do
//! not run. Peers run as processes in turn and print the fields of `--json`; a new dtype needs a line in `dtype.rs` and one in
//! `tools/bench/sides.py`.

mod account;
mod dtype;
mod inputs;
mod machine;
mod memory;
mod products;
mod quality;
mod roofline;
mod second_question;
mod seeded;
mod spread;
mod stages;
mod table;
mod text;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "longsight-bench", about = "Measures longsight and the machine it runs on")]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Threads to use [default: as many as the machine has cores]
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object (for programs)
    #[arg(long, global = true)]
    json: bool,
    /// Also write the JSON object to a file
    #[arg(long, global = true, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// The machine's limits: arithmetic in f32, bf16, int8 and int16, and reading memory
    Roofline(roofline::RooflineArgs),
    /// Tower frames/s, prefill tokens/s and decode tokens/s of one model in one dtype
    Stages(stages::StagesArgs),
    /// Large products and attention as a part of the machine's limit
    Products(products::ProductsArgs),
    /// What each dtype costs in accuracy against f32
    Quality(quality::QualityArgs),
    /// Peak memory of `longsight ask` against the number of frames
    Memory(memory::MemoryArgs),
    /// Time to the first token of a second question, from the index
    SecondQuestion(second_question::SecondQuestionArgs),
    /// Where the bytes of a run go, computed for published shapes
    Account(account::AccountArgs),
    /// What a language model alone (a GGUF file) says to questions, and its perplexity on a text
    Text(text::TextArgs),
    /// Writes a seeded checkpoint, unless it is there, and prints its folder
    Checkpoint(seeded::SeededArgs),
}

/// Something measured, for people.
trait Report: Serialize {
    /// As lines of Markdown.
    fn markdown(&self) -> String;
}

#[global_allocator]
static ALLOCATOR: longsight_kernels::HugePages = longsight_kernels::HugePages;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody can be told, the exit status still says it.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    if let Some(file) = &args.report {
        writable(file)?;
    }
    if let Some(threads) = args.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads));
        pool.build_global().context("cannot start threads")?;
    }
    match &args.command {
        Command::Roofline(settings) => deliver(args, &roofline::measure(settings)?),
        Command::Stages(settings) => deliver(args, &stages::measure(settings)?),
        Command::Products(settings) => deliver(args, &products::measure(settings)?),
        Command::Quality(settings) => deliver(args, &quality::measure(settings)?),
        Command::Memory(settings) => deliver(args, &memory::measure(settings, args.threads)?),
        Command::SecondQuestion(settings) => deliver(args, &second_question::measure(settings)?),
        Command::Account(settings) => deliver(args, &account::compute(settings)?),
        Command::Text(settings) => deliver(args, &text::measure(settings)?),
        Command::Checkpoint(settings) => deliver(args, &settings.checkpoint()?),
    }
}

/// Measurements take minutes: a report that could not be written is refused before.
fn writable(file: &Path) -> Result<()> {
    ensure!(
        !file.exists() || file.is_file(),
        "--report {}: not a regular file; name another",
        file.display()
    );
    let there = file.exists();
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
    opened.with_context(|| {
        format!("--report: cannot write {}; name a file in a folder that exists", file.display())
    })?;
    if there { Ok(()) } else { std::fs::remove_file(file).context("--report") }
}

fn deliver(args: &Args, report: &impl Report) -> Result<()> {
    let json = serde_json::to_string_pretty(report)?;
    let text = if args.json { &json } else { &report.markdown() };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end()).context("cannot write the report")?;
    if let Some(file) = &args.report {
        let file = file.canonicalize().unwrap_or_else(|_| file.clone()); // a link stays one
        let unfinished = file.with_extension("part");
        std::fs::write(&unfinished, format!("{json}\n"))
            .and_then(|()| std::fs::rename(&unfinished, &file))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_measured_is_refused_before() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().display();
        let there = folder.path().join("there");
        std::fs::create_dir(&there).unwrap();
        let folder_report = format!("roofline --report {}", there.display());
        let nowhere = format!("roofline --report {work}/nowhere/x.json");
        for (line, what) in [
            (folder_report.as_str(), "not a regular file"),
            (nowhere.as_str(), "name a file in a folder that exists"),
            ("checkpoint --shape tiny --layers 99", "a tower of 1 to 2 layers"),
            ("checkpoint --shape tiny --outlier-factor nan", "from 0.001 to 1000"),
            ("account --dtypes q4k/int8/q8/x", "TEXT/VISION/KV"),
            ("memory --shape tiny --video x --longsight /no/such", "no such file"),
            ("memory --shape tiny --video x -- --frames=8", "--frames behind --"),
            ("second-question --shape tiny --video x -- --model y", "--model behind --"),
        ] {
            let words = std::iter::once("longsight-bench").chain(line.split(' '));
            let refused = match Args::try_parse_from(words) {
                Ok(args) => format!("{:#}", run(&args).unwrap_err()),
                Err(error) => error.to_string(),
            };
            assert!(refused.contains(what), "{line}: {refused}");
        }
    }
}
