//! What a task and a sweep need first: samples, settings, model, manifest.

use crate::args::eval::SourceArgs;
use crate::args::run::RunArgs;
use crate::model;
use crate::out::note;
use crate::settings::{self, Resolved};
use anyhow::{Result, bail, ensure};
use longsight_eval::data::{LoadSettings, load};
use longsight_eval::run::{
    Environment, EvalSettings, Manifest, Pinned, Selection, Shard, checkpoint_digest, machine, samples_digest,
};
use longsight_eval::{Benchmark, Profile, PromptKey, Sample, Task};
use longsight_method::PoolSpec;
use longsight_models::{Description, Lmm};
use longsight_video::FrameBudget;
use std::sync::Arc;

/// A benchmark, ready to be asked.
pub struct Bench {
    /// The samples selected.
    pub samples: Vec<Sample>,
    /// How they are asked.
    pub settings: EvalSettings,
    /// All of the model but its weights.
    description: Description,
    resolved: Resolved,
    pinned: Pinned,
    environment: Environment,
}

impl Bench {
    /// Loads annotations and everything of the model but its weights.
    pub fn prepare(task: Task, source: &SourceArgs, shard: Option<Shard>, run: &RunArgs) -> Result<Self> {
        refuse_flags_of_ask(run)?;
        let mut resolved = settings::resolve(run)?;
        let profile = source.profile.unwrap_or(task.default_profile());
        check_profile(task, profile)?;
        ensure!(
            !source.test_split || task.benchmark() == Benchmark::LongVideoBench,
            "--test-split is LongVideoBench's; {task} has none"
        );
        take_benchmark_defaults(&mut resolved, task, run);
        ensure!(
            task != Task::LongVideoBenchSubs
                || matches!(resolved.run.video.sample.budget, FrameBudget::Uniform { .. }),
            "{task} takes --frames, not --fps: its rule is at most so many images, one a whole step of the duration"
        );
        let loaded = load(task, &source.data, &LoadSettings { test_split: source.test_split })?;
        if !run.engine.quiet {
            loaded.remarks.iter().for_each(|remark| note(&format!("longsight: {remark}")));
        }
        let selection = Selection { filters: source.filter.clone(), limit: source.limit, shard };
        let whole = Selection { shard: None, ..selection.clone() }.apply(loaded.samples)?.0;
        let (samples_digest, count) = (samples_digest(&whole)?, whole.len());
        let (samples, _) = Selection { filters: Vec::new(), limit: None, shard }.apply(whole)?;
        let folder = model::folder(&run.model.model, run.engine.quiet)?;
        let description = model::describe(&folder, &resolved)?;
        resolved.run.pool = Some(resolved.run.pool_spec(&description.info)); // pinned, whatever is usual later
        let family = description.info.config.family.name();
        let prompt_key = source.prompt_key.unwrap_or(PromptKey::of_family(family));
        let pinned = Pinned {
            task,
            profile,
            prompt_key,
            samples_digest,
            samples: count,
            selection,
            model_digest: checkpoint_digest(&folder.path)?,
            family: family.to_owned(),
            dtype: description.info.dtypes.to_string(),
            frames: frames_in_words(task, &resolved),
            decoder: resolved.run.video.probe.tools.version()?,
            longsight_version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: resolved.run.manifest(),
        };
        let environment = Environment {
            model: run.model.model.clone(),
            data: source.data.clone(),
            annotations: loaded.files,
            machine: machine(),
            device: format!("{:?}", run.model.device).to_lowercase(),
            threads: longsight_kernels::threads(),
        };
        let settings = EvalSettings { task, profile, prompt_key, run: resolved.run.clone() };
        Ok(Self { samples, settings, description, resolved, pinned, environment })
    }

    /// The manifest of a run under `settings` (a sweep's differ from each other).
    pub fn manifest(&self, settings: &EvalSettings) -> Manifest {
        let mut resolved = settings::Resolved { run: settings.run.clone(), ..self.resolved.clone() };
        resolved.run.prompt = Default::default();
        let pinned = Pinned {
            frames: frames_in_words(settings.task, &resolved),
            settings: settings.run.manifest(),
            ..self.pinned.clone()
        };
        Manifest { pinned, environment: self.environment.clone() }
    }

    /// Loads the weights.
    pub fn load(self) -> Result<(Vec<Sample>, EvalSettings, Arc<Lmm>)> {
        let model = Arc::new(model::load(self.description, &self.resolved)?);
        Ok((self.samples, self.settings, model))
    }
}

/// Values as typed, each once.
pub fn distinct<T: Copy + PartialEq>(typed: &[T]) -> Vec<T> {
    let mut values = Vec::new();
    for value in typed {
        if !values.contains(value) {
            values.push(*value);
        }
    }
    values
}

/// Refuses a profile of another benchmark.
pub fn check_profile(task: Task, profile: Profile) -> Result<()> {
    let fitting = Profile::ALL.iter().filter(|profile| profile.benchmark() == task.benchmark());
    let fitting: Vec<_> = fitting.map(|profile| profile.name()).collect();
    let fitting = fitting.join(", ");
    ensure!(
        profile.benchmark() == task.benchmark(),
        "--profile {profile} belongs to another benchmark than {task}, whose profiles are {fitting}"
    );
    Ok(())
}

/// What a benchmark prescribes itself.
pub fn refuse_flags_of_ask(run: &RunArgs) -> Result<()> {
    let video = &run.video;
    let typed = [
        ("--subtitles", video.subtitles.is_some()),
        ("--from", video.from.is_some()),
        ("--to", video.to.is_some()),
        ("--allow-url", video.allow_url),
        ("--logprobs", run.generation.logprobs.is_some()),
    ];
    match typed.iter().find(|(_, typed)| *typed) {
        Some((flag, _)) => bail!(
            "{flag} has no place in a benchmark, which says itself what is asked of which video; leave it out"
        ),
        None => Ok(()),
    }
}

/// Frames, answer length and pooling where the user says nothing: as lmms-eval runs the task. The context method and,
/// for videos, the pooling are ours.
fn take_benchmark_defaults(resolved: &mut Resolved, task: Task, run: &RunArgs) {
    let video = &run.video;
    if video.frames.is_none() && video.fps.is_none() && video.max_frames.is_none() {
        resolved.run.video.sample.budget = FrameBudget::Uniform { frames: task.default_frames() };
    }
    if run.generation.max_new_tokens.is_none() {
        resolved.run.generation.max_new_tokens = task.max_new_tokens();
    }
    if task == Task::LongVideoBenchSubs && run.method.pool.is_none() {
        resolved.run.pool = Some(PoolSpec::Uniform { stride: 1 }); // still images keep every token
    }
}

fn frames_in_words(task: Task, resolved: &Resolved) -> String {
    match &resolved.run.video.sample.budget {
        FrameBudget::Uniform { frames } if task == Task::LongVideoBenchSubs => {
            format!("at most {frames} still images, one a whole step of the duration (lmms-eval's rule)")
        }
        FrameBudget::Uniform { frames } => {
            format!("{frames} frames, numpy.linspace(0, N-1, {frames}, dtype=int)")
        }
        FrameBudget::Fps { fps, max_frames } => {
            format!("{fps} frames a second, {max_frames} uniform ones at most")
        }
        FrameBudget::Indices(indices) => format!("{} frames by index", indices.len()),
    }
}
