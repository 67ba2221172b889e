//! Golden frames as a folder of images, and short ways to ask.

use longsight_engine::{
    Answer, EncodedFrames, FrameSource, Frames, LogprobCount, Planned, Probed, Request, Result, RunPlan,
    RunSettings, Session, Silent, answer,
};
use longsight_models::{Lmm, LoadSettings, WeightDtype};
use longsight_testkit::Golden;
use longsight_video::{FrameBudget, VideoSource};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;

/// Writes the golden's frames as PNG files.
pub fn image_folder<M: DeserializeOwned>(golden: &Golden<M>, folder: &Path) -> VideoSource {
    let frames = golden.u8s("frames");
    let (height, width) = (frames.shape[1], frames.shape[2]);
    for (i, rgb) in frames.data.chunks(height * width * 3).enumerate() {
        let image = image::RgbImage::from_raw(width as u32, height as u32, rgb.to_vec()).unwrap();
        image.save(folder.join(format!("frame{i}.png"))).unwrap();
    }
    VideoSource::Images(folder.to_path_buf())
}

/// A golden case with its frames as a folder of images.
pub struct Case {
    pub model: Arc<Lmm>,
    pub source: VideoSource,
    pub settings: RunSettings,
    _folder: tempfile::TempDir,
}

impl Case {
    pub fn new(name: &str) -> Self {
        let golden = Golden::load(name);
        let folder = tempfile::tempdir().unwrap();
        let source = image_folder(&golden, folder.path());
        Self { model: load(&golden), source, settings: settings(&golden), _folder: folder }
    }

    pub fn plan(&self, settings: &RunSettings) -> RunPlan {
        plan_of(&self.model, &self.source, "", settings)
    }
}

pub fn try_plan(
    model: &Lmm,
    source: &VideoSource,
    question: &str,
    settings: &RunSettings,
) -> Result<RunPlan> {
    let request = Request {
        video: Probed::read(source, settings)?,
        settings: settings.clone(),
        frames: Frames::Chosen,
        earlier: &[],
        questions: &[question],
    };
    Ok(request.plan(model.info())?.plan)
}

pub fn plan_of(model: &Lmm, source: &VideoSource, question: &str, settings: &RunSettings) -> RunPlan {
    try_plan(model, source, question, settings).unwrap()
}

pub fn planned(plan: RunPlan, settings: &RunSettings) -> Planned {
    Planned { plan, settings: settings.clone() }
}

/// Decodes, encodes and prefills the video of a plan.
pub fn start(model: &Arc<Lmm>, plan: RunPlan, settings: &RunSettings) -> Session {
    planned(plan, settings).start(model, FrameSource::Video, &mut Silent).unwrap()
}

/// The same with frames that are encoded already.
pub fn start_encoded(
    model: &Arc<Lmm>,
    plan: RunPlan,
    settings: &RunSettings,
    encoded: &EncodedFrames,
) -> Result<Session> {
    planned(plan, settings).start(model, FrameSource::Encoded(encoded), &mut Silent)
}

pub fn load<M: DeserializeOwned>(golden: &Golden<M>) -> Arc<Lmm> {
    let settings = LoadSettings { dtype: Some(WeightDtype::F32), ..Default::default() };
    Arc::new(Lmm::load(&golden.checkpoint(), &settings).unwrap())
}

/// The golden's own settings: every frame, its windows and ramp, 20 tokens, all log-probabilities.
pub fn settings(golden: &Golden) -> RunSettings {
    let meta = &golden.meta;
    let mut settings = RunSettings::default();
    settings.video.sample.budget = FrameBudget::Uniform { frames: golden.u8s("frames").shape[0] };
    settings.context.visual_window_tokens = Some(meta.visual_window);
    settings.context.language_window_tokens = Some(meta.language_window);
    settings.context.alpha = Some(meta.alpha);
    settings.context.beta = Some(meta.beta);
    settings.generation.max_new_tokens = meta.new_tokens;
    settings.generation.ignore_eos = true;
    settings.generation.logprobs = Some(LogprobCount::All);
    settings
}

pub fn ask(model: &Arc<Lmm>, source: &VideoSource, question: &str, settings: &RunSettings) -> Answer {
    answer(model, source, question, settings, &mut Silent).unwrap()
}

/// Log-probabilities of the first token in order of id.
pub fn first_logprobs(answer: &Answer) -> Vec<f32> {
    let mut entries = answer.generation.first_token_logprobs.clone().unwrap();
    entries.sort_by_key(|entry| entry.id);
    entries.into_iter().map(|entry| entry.logprob as f32).collect()
}
