//! One module a command.

mod ask;
mod chat;
mod chat_text;
mod eval;
mod index;
mod output;
mod plan;
mod quantize;
mod serve;
mod world;

use crate::args::{Args, Command, RunArgs};
use crate::settings::Resolved;
use crate::{model, settings, summary};
use anyhow::{Context, Result};
use longsight_engine::{Index, Observer, RunPlan, Session, TimeEstimate};
use longsight_hub::ModelSource;
use longsight_models::{Description, Lmm};
use longsight_video::{VideoInfo, probe};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Runs the command that was typed.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Ask(args) => ask::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Chat(args) => chat::run(&args),
        Command::Index(args) => index::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Quantize(args) => quantize::run(&args),
        Command::Eval(command) => eval::run(&command),
        Command::World(command) => world::run(&command),
    }
}

/// What every command needs first.
struct Prepared {
    resolved: Resolved,
    video: VideoInfo,
    probe_secs: f64,
    description: Description,
    /// The checkpoint.
    model_folder: PathBuf,
    /// Commit of a checkpoint from the hub.
    model_commit: Option<String>,
}

/// Reads the video's packets and all of the model but its weights, at the same time where the model is at hand: either takes
/// some tenths of a second. A bad video is refused before a download.
fn prepare(video: &str, run: &RunArgs) -> Result<Prepared> {
    let mut resolved = settings::resolve(run)?;
    let source = settings::source(video, run)?;
    let started = Instant::now();
    let (video, probe_secs, at_hand) = std::thread::scope(|scope| {
        let describing = scope.spawn(|| model::describe_at_hand(&run.model.model, &resolved));
        let video = probe(&source, &resolved.run.video.probe)?;
        let probe_secs = started.elapsed().as_secs_f64();
        anyhow::Ok((video, probe_secs, describing.join().ok().flatten()))
    })?;
    if !settings::chooses_frames(run) {
        resolved.run.take_every_image(&video);
    }
    let folder = model::folder(&run.model.model, run.engine.quiet)?;
    let description = match at_hand {
        Some((path, description)) if path == folder.path => description,
        _ => model::describe(&folder, &resolved)?,
    };
    let model_commit = match folder.source {
        ModelSource::Hub { commit, .. } => Some(commit),
        ModelSource::Local | ModelSource::BuiltIn => None,
    };
    let model_folder = folder.path;
    Ok(Prepared { resolved, video, probe_secs, description, model_folder, model_commit })
}

/// What `ask` and `chat` run with.
struct Loaded {
    resolved: Resolved,
    plan: RunPlan,
    model: Lmm,
    model_folder: PathBuf,
    model_commit: Option<String>,
}

impl Prepared {
    /// Plans the run, refuses what does not fit the memory allowed, says what is coming, and loads the weights.
    fn load(self, question: &str, quiet: bool) -> Result<Loaded> {
        let Self { resolved, video, probe_secs, description, model_folder, model_commit } = self;
        let plan = RunPlan::for_video(&description.info, video, question, &resolved.run)?;
        let plan = RunPlan { probe_secs, ..plan };
        plan.check_memory(&description.info, &resolved.run)?;
        if !quiet {
            let time = TimeEstimate::new(&description.info, &plan);
            note(&summary::before(&plan, &time));
        }
        let model = model::load(description, &resolved)?;
        Ok(Loaded { resolved, plan, model, model_folder, model_commit })
    }
}

impl Loaded {
    /// Starts a session, with the index where there is one.
    fn start(&self, index: Option<&Index>, observer: &mut dyn Observer) -> Result<Session<'_>> {
        let index = index.map(|index| (index, self.model_folder.as_path()));
        Ok(Session::start_indexed(&self.model, self.plan.clone(), &self.resolved.run, index, observer)?)
    }
}

/// Writes one JSON object on a line of its own.
fn write_json(value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write_out(&line)
}

/// Writes to standard output.
fn write_out(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(bytes).and_then(|()| out.flush()).context("standard output")
}

/// Writes a line to standard error; a closed one is no reason to fail.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
