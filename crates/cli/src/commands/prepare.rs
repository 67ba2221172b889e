//! What commands about one video need first.

use crate::args::run::RunArgs;
use crate::out::note;
use crate::settings::Resolved;
use crate::{model, settings, summary};
use anyhow::Result;
use longsight_engine::{
    FrameSource, Frames, Index, Observer, Planned, Probed, Request, Session, TimeEstimate,
};
use longsight_hub::ModelSource;
use longsight_models::processor::Turn;
use longsight_models::{Description, Lmm};
use std::path::PathBuf;
use std::sync::Arc;

/// What every command needs first.
pub struct Prepared {
    pub resolved: Resolved,
    pub video: Probed,
    pub frames: Frames,
    pub description: Description,
    /// The checkpoint.
    pub model_folder: PathBuf,
    /// Commit of a checkpoint from the hub.
    pub model_commit: Option<String>,
}

/// Reads the video's packets and all of the model but its weights, at the same time where the model is at hand: either takes
/// some tenths of a second. A bad video is refused before a download.
pub fn prepare(video: &str, run: &RunArgs) -> Result<Prepared> {
    let resolved = settings::resolve(run)?;
    let source = settings::source(video, run)?;
    let (video, at_hand) = std::thread::scope(|scope| {
        let describing = scope.spawn(|| model::describe_at_hand(&run.model.model, &resolved));
        let video = Probed::read(&source, &resolved.run)?;
        anyhow::Ok((video, describing.join().ok().flatten()))
    })?;
    let frames = if settings::chooses_frames(run) { Frames::Chosen } else { Frames::Usual };
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
    Ok(Prepared { resolved, video, frames, description, model_folder, model_commit })
}

/// What `ask` and `chat` run with.
pub struct Loaded {
    pub planned: Planned,
    pub model: Arc<Lmm>,
    pub model_folder: PathBuf,
    pub model_commit: Option<String>,
}

impl Prepared {
    /// Plans the run.
    pub fn plan(&self, earlier: &[Turn], questions: &[&str]) -> Result<Planned> {
        let (video, frames) = (self.video.clone(), self.frames.clone());
        let request = Request { video, settings: self.resolved.run.clone(), frames, earlier, questions };
        Ok(request.plan(&self.description.info)?)
    }

    /// Plans the run, refuses what does not fit the memory allowed, says what is coming, and loads the weights.
    pub fn load(self, earlier: &[Turn], questions: &[&str], quiet: bool) -> Result<Loaded> {
        let planned = self.plan(earlier, questions)?;
        let Self { resolved, description, model_folder, model_commit, .. } = self;
        planned.check_memory(&description.info)?;
        if !quiet {
            let time = TimeEstimate::new(&description.info, &planned.plan);
            note(&summary::before(&planned.plan, &time));
        }
        let model = Arc::new(model::load(description, &resolved)?);
        Ok(Loaded { planned, model, model_folder, model_commit })
    }
}

impl Loaded {
    /// Starts a session, with the index where there is one.
    pub fn start(&self, index: Option<&Index>, observer: &mut dyn Observer) -> Result<Session> {
        let source = match index {
            Some(index) => FrameSource::Index(index, &self.model_folder),
            None => FrameSource::Video,
        };
        Ok(self.planned.clone().start(&self.model, source, observer)?)
    }
}
