//! The engine at work: one question at a time, on a thread of its own.
//!
//! The kernels use all cores, and two questions at once would take twice the memory for the same time. A plain thread, since the
//! engine blocks; a client that leaves drops its place, which the engine's `Observer::stop` sees between batches, chunks and
//! tokens.

use crate::ServeError;
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::state::App;
use longsight_engine::evidence::IllustratedEvidence;
use longsight_engine::{Answer, FrameSource, Frames, Observer, Request, RunSettings, Stage, Warning};
use longsight_models::processor::Turn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;

/// A question, with everything that answers it.
pub(crate) struct Ask {
    pub(crate) input: Input,
    /// The conversation; it ends with the question.
    pub(crate) turns: Vec<Turn>,
    pub(crate) run: RunSettings,
    /// Whether the frames were chosen by the request; a folder of images is taken whole otherwise.
    pub(crate) frames_chosen: bool,
    /// What its receipt tells of the request.
    pub(crate) warnings: Vec<Warning>,
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
    /// The whole answer, and its evidence with pictures.
    Done(Box<Answer>, Option<IllustratedEvidence>),
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
    std::thread::Builder::new().name("worker".into()).spawn(work).map_err(ServeError::Thread)
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
        Ok((answer, evidence)) => Event::Done(Box::new(answer), evidence),
        Err(error) => Event::Failed(ask.input.hide(error)),
    };
    let _ = job.events.send(event); // its client may have left
}

fn answer(app: &App, job: &Job, ask: &Ask) -> ApiResult<(Answer, Option<IllustratedEvidence>)> {
    let (question, earlier) = ask.turns.split_last().ok_or_else(|| ApiError::bad("there is no question"))?;
    let request = Request {
        video: app.probe(&ask.input, &ask.run)?,
        settings: ask.run.clone(),
        frames: if ask.frames_chosen { Frames::Chosen } else { Frames::Usual },
        earlier,
        questions: &[&question.content],
    };
    let mut observer = Events { job };
    let mut planned = request.plan_unless(app.model.info(), &|| observer.has_left())?;
    app.check_plan(&planned)?;
    app.check_room(&planned.plan)?;
    planned.plan.warnings.extend(ask.warnings.iter().cloned());
    let source = match &app.settings.index {
        Some(index) => FrameSource::Index(index, &app.settings.model_folder),
        None => FrameSource::Video,
    };
    let mut session = planned.start(&app.model, source, &mut observer)?;
    let mut answer = session.continue_conversation(ask.turns.clone(), &mut observer)?;
    ask.input.hide_in(&mut answer.receipt);
    let missing = |error| tracing::warn!(%error, "no thumbnails");
    let evidence = answer.illustrated(session.plan(), session.settings(), missing);
    Ok((answer, evidence))
}

/// Tells the client, and stops when it has left.
struct Events<'a> {
    job: &'a Job,
}

impl Events<'_> {
    fn has_left(&self) -> bool {
        self.job.cancelled.load(Ordering::Relaxed) || self.job.events.is_closed()
    }
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
        self.has_left()
    }
}
