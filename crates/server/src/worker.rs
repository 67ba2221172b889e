//! The engine at work: one question at a time, on a thread of its own.

use crate::ServeError;
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::state::App;
use longsight_engine::{Answer, EngineError, Observer, RunPlan, RunSettings, Session, Stage};
use longsight_models::processor::Turn;
use longsight_video::{FrameBudget, Thumbnail, VideoInfo, VideoSource, thumbnails};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;

/// Width of a thumbnail, in pixels.
const THUMBNAIL_WIDTH: u32 = 320;

/// A question, with everything that answers it.
pub(crate) struct Ask {
    pub(crate) input: Input,
    /// The conversation; it ends with the question.
    pub(crate) turns: Vec<Turn>,
    pub(crate) run: RunSettings,
    /// Whether the frames were chosen by the request; a folder of images is taken whole otherwise.
    pub(crate) frames_chosen: bool,
}

/// A question in the queue.
pub(crate) struct Job {
    pub(crate) id: u64,
    /// Whose turn it takes.
    pub(crate) client: String,
    pub(crate) ask: Option<Ask>,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) cancelled: Arc<AtomicBool>,
}

impl Job {
    /// Place 1 is next.
    pub(crate) fn tell_place(&self, place: usize, total: usize) {
        let _ = self.events.send(Event::Progress("queue", place, total)); // its client may have left
    }

    #[cfg(test)]
    pub(crate) fn for_tests(client: &str, id: u64) -> Self {
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        Self { id, client: client.into(), ask: None, events, cancelled: Arc::default() }
    }
}

/// What a client is told.
pub(crate) enum Event {
    /// Stage, done, total.
    Progress(&'static str, usize, usize),
    /// More of the answer.
    Text(String),
    /// The whole answer, and the best frame of each of its moments.
    Done(Box<Answer>, Vec<Option<Thumbnail>>),
    Failed(ApiError),
}

/// Starts the thread; it ends when the queue is closed.
pub(crate) fn start(app: Arc<App>) -> Result<JoinHandle<()>, ServeError> {
    let work = move || {
        while let Some(mut job) = app.queue.pop() {
            if let Some(ask) = job.ask.take() {
                work_on(&app, &job, ask);
            }
            app.queue.done();
        }
    };
    std::thread::Builder::new().name("worker".into()).spawn(work).map_err(ServeError::Io)
}

fn work_on(app: &App, job: &Job, ask: Ask) {
    let started = Instant::now();
    // Nothing is known to panic; if something does, one question fails and not the server.
    let outcome = catch_unwind(AssertUnwindSafe(|| answer(app, job, &ask)));
    let outcome = outcome.unwrap_or_else(|_| Err(ApiError::internal("a question made the engine panic")));
    let cancelled = job.cancelled.load(Ordering::Relaxed);
    match &outcome {
        Ok((answer, _)) => app.metrics.answered(answer),
        Err(_) if cancelled => app.metrics.cancelled(),
        Err(_) => app.metrics.failed(),
    }
    let secs = started.elapsed().as_secs_f64();
    tracing::info!(job = job.id, secs, ok = outcome.is_ok(), cancelled, "question done");
    let event = match outcome {
        Ok((answer, thumbnails)) => Event::Done(Box::new(answer), thumbnails),
        Err(error) => Event::Failed(ask.input.hide(error)),
    };
    let _ = job.events.send(event); // its client may have left
}

fn answer(app: &App, job: &Job, ask: &Ask) -> ApiResult<(Answer, Vec<Option<Thumbnail>>)> {
    let video = app.probe(&ask.input, &ask.run)?;
    let run = with_every_image(&ask.run, &video, ask.frames_chosen);
    let question = ask.turns.last().map_or("", |turn| turn.content.as_str());
    let mut run = run;
    run.engine.spare_tokens = spare_tokens(app, &ask.turns)?;
    let mut plan = RunPlan::for_video(app.model.info(), video, question, &run)?;
    app.check_frames(plan.sample.frames.len())?;
    plan.check_memory(app.model.info(), &run)?;
    let mut observer = Events { job };
    let mut session = match app.identify(&plan.video.source) {
        Ok(Some((index, identity))) => {
            Session::start_indexed(&app.model, plan, &run, (index, &identity), &mut observer)?
        }
        Ok(None) => Session::start(&app.model, plan, &run, &mut observer)?,
        Err(error) => {
            tracing::warn!(%error, "the index is not used");
            plan.warnings.push("index: not used; the server's log says why".into());
            Session::start(&app.model, plan, &run, &mut observer)?
        }
    };
    let mut answer = session.continue_conversation(ask.turns.clone(), &mut observer)?;
    ask.input.hide_in(&mut answer.receipt);
    let thumbnails = moment_pictures(&answer, session.plan(), &run);
    Ok((answer, thumbnails))
}

/// A folder of images is sampled already: every image is taken once, unless the request asks for other frames.
pub(crate) fn with_every_image(run: &RunSettings, video: &VideoInfo, frames_chosen: bool) -> RunSettings {
    let mut run = run.clone();
    if matches!(video.source, VideoSource::Images(_)) && !frames_chosen {
        let (fps, max_frames) = (run.video.probe.image_fps, video.total_frames);
        run.video.sample.budget = FrameBudget::Fps { fps, max_frames };
    }
    run
}

/// Room that earlier turns need: their tokens, and the template's around each.
fn spare_tokens(app: &App, turns: &[Turn]) -> ApiResult<usize> {
    const TEMPLATE_TOKENS: usize = 16;
    let earlier = &turns[..turns.len().saturating_sub(1)];
    let said: String = earlier.iter().map(|turn| turn.content.as_str()).collect();
    let tokens = app.model.tokenizer().encode(&said).map_err(EngineError::from)?.len();
    Ok(tokens + earlier.len() * TEMPLATE_TOKENS)
}

/// The best frame of each moment. One that cannot be decoded again is no reason to lose an answer.
fn moment_pictures(answer: &Answer, plan: &RunPlan, run: &RunSettings) -> Vec<Option<Thumbnail>> {
    let Some(evidence) = &answer.evidence else { return Vec::new() };
    let indices: Vec<usize> = evidence.moments.iter().map(|moment| moment.best_frame_index).collect();
    let pictures = thumbnails(&plan.video, &indices, THUMBNAIL_WIDTH, &run.video.decode);
    let pictures = pictures.unwrap_or_else(|error| {
        tracing::warn!(%error, "no thumbnails");
        Vec::new()
    });
    indices.iter().map(|index| pictures.iter().find(|picture| picture.index == *index).cloned()).collect()
}

/// Tells the client, and stops when it has left.
struct Events<'a> {
    job: &'a Job,
}

impl Observer for Events<'_> {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) {
        let stage = match stage {
            Stage::Frames => "frames",
            Stage::Prompt => "prompt",
        };
        let _ = self.job.events.send(Event::Progress(stage, done, total));
    }

    fn text(&mut self, piece: &str) {
        let _ = self.job.events.send(Event::Text(piece.to_owned()));
    }

    fn stop(&mut self) -> bool {
        self.job.cancelled.load(Ordering::Relaxed) || self.job.events.is_closed()
    }
}
