//! The path from a video and questions to answers. Every program walks it: commands, server, benchmarks, bindings.
//!
//! [`Probed`] (the video's packets) -> [`Request::plan`] (frames, room for earlier turns, tokens, bytes) -> [`Planned`] ->
//! [`Planned::start`] (memory checked; the video in the KV cache) -> [`Session`] -> [`Answer`] with its evidence and receipt.

use crate::answer::Answer;
use crate::observer::Observer;
use crate::plan::RunPlan;
use crate::session::{FrameSource, Session};
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_models::processor::Turn;
use longsight_models::{Lmm, ModelInfo};
use longsight_video::{SamplePlan, VideoInfo, VideoSource, probe, sample};
use std::sync::Arc;
use std::time::Instant;

/// A video whose packets were read.
#[derive(Debug, Clone)]
pub struct Probed {
    /// The video.
    pub video: VideoInfo,
    /// Seconds that reading them took.
    pub secs: f64,
}

impl Probed {
    /// Reads the packets of `source`, under the limits of `settings`.
    ///
    /// # Errors
    /// Settings that are invalid, a video that cannot be read.
    pub fn read(source: &VideoSource, settings: &RunSettings) -> Result<Self> {
        settings.check()?;
        let started = Instant::now();
        let video = probe(source, &settings.video.probe)?;
        Ok(Self { video, secs: started.elapsed().as_secs_f64() })
    }
}

/// Which frames a request takes.
#[derive(Debug, Clone)]
pub enum Frames {
    /// Those of the settings, which the user chose.
    Chosen,
    /// Those of the settings, which nobody chose: of a folder of images, which is sampled already, every image instead.
    Usual,
    /// These, whatever the settings say.
    Given(SamplePlan),
}

/// Questions about one video.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The video.
    pub video: Probed,
    /// How it is asked.
    pub settings: RunSettings,
    /// Which of its frames.
    pub frames: Frames,
    /// Turns before the questions, for which the KV cache has room.
    pub earlier: &'a [Turn],
    /// What is asked: the KV cache has room for the longest. Empty where the questions are not known yet.
    pub questions: &'a [&'a str],
}

impl Request<'_> {
    /// Plans the run; nothing is decoded, and what it would take is not checked yet.
    ///
    /// # Errors
    /// Settings that are invalid or do not fit the video or the model.
    pub fn plan(self, model: &ModelInfo) -> Result<Planned> {
        self.plan_unless(model, &|| false)
    }

    /// [`Self::plan`], given up where `stop` says so: it is asked before each text that is tokenised.
    ///
    /// # Errors
    /// As [`Self::plan`]; [`EngineError::Stopped`].
    pub fn plan_unless(self, model: &ModelInfo, stop: &dyn Fn() -> bool) -> Result<Planned> {
        let go_on = || if stop() { Err(EngineError::Stopped) } else { Ok(()) };
        let Self { video: Probed { video, secs }, mut settings, frames, earlier, questions } = self;
        settings.check()?;
        go_on()?;
        settings.make_room_for(earlier, model)?;
        go_on()?;
        let frames = match frames {
            Frames::Given(frames) => frames,
            Frames::Chosen => sample(&video, &settings.video.sample)?,
            Frames::Usual => {
                settings.take_every_image(&video);
                sample(&video, &settings.video.sample)?
            }
        };
        let tokens = |text: &&&str| model.tokenizer.encode(text).map_or(0, |ids| ids.len());
        let longest = match questions {
            [one] => one,
            several => several.iter().max_by_key(tokens).copied().unwrap_or_default(),
        };
        go_on()?;
        let plan = RunPlan::new(model, video, frames, longest, &settings)?;
        Ok(Planned { plan: RunPlan { probe_secs: secs, ..plan }, settings })
    }
}

/// What will be done, with the settings that it follows from.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Frames, tokens, positions, bytes.
    pub plan: RunPlan,
    /// The request's settings, completed.
    pub settings: RunSettings,
}

impl Planned {
    /// Refuses a run that would take more memory than is allowed, naming the nearest setting that fits. [`Self::start`] asks
    /// as well; a caller asks before it loads weights.
    ///
    /// # Errors
    /// As said.
    pub fn check_memory(&self, model: &ModelInfo) -> Result<()> {
        self.plan.check_memory(model, &self.settings)
    }

    /// Brings the video into the KV cache.
    ///
    /// # Errors
    /// Too little memory, frames that cannot be decoded, or the observer stopped it.
    pub fn start(
        self,
        model: &Arc<Lmm>,
        source: FrameSource<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Session> {
        self.settings.check_device(model.device())?;
        self.check_memory(model.info())?;
        Session::start(model, self.plan, self.settings, source, observer)
    }
}

/// The whole path, for one question on a video of which nothing is known yet.
///
/// # Errors
/// What its stages say.
pub fn answer(
    model: &Arc<Lmm>,
    source: &VideoSource,
    question: &str,
    settings: &RunSettings,
    observer: &mut dyn Observer,
) -> Result<Answer> {
    let request = Request {
        video: Probed::read(source, settings)?,
        settings: settings.clone(),
        frames: Frames::Chosen,
        earlier: &[],
        questions: &[question],
    };
    let planned = request.plan(model.info())?;
    planned.start(model, FrameSource::Video, observer)?.ask(question, observer)
}
