//! A run as it goes: a bar for people, events for programs.

use crate::out::write_json;
use crate::progress::EvalBar;
use longsight_engine::{Observer, Stage};
use longsight_eval::Record;
use longsight_eval::run::{Running, Watch};
use serde_json::json;

/// Shows a run. With `--json` every sample is one line on standard output, else a bar on standard error.
pub struct RunWatch {
    json: bool,
    bar: EvalBar,
    video: String,
    broken_output: Option<anyhow::Error>,
}

impl RunWatch {
    pub fn new(json: bool, quiet: bool, total: usize) -> Self {
        Self { json, bar: EvalBar::new(quiet, total), video: String::new(), broken_output: None }
    }

    /// Ends the bar, and reports an output that failed meanwhile.
    pub fn finish(self) -> anyhow::Result<()> {
        self.bar.finish();
        self.broken_output.map_or(Ok(()), Err)
    }

    fn event(&mut self, event: &serde_json::Value) {
        if self.json
            && let Err(error) = write_json(event)
        {
            self.broken_output.get_or_insert(error);
        }
    }
}

impl Observer for RunWatch {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) {
        if stage == Stage::Frames {
            self.bar.frames(&self.video, done, total);
        }
    }

    fn stop(&mut self) -> bool {
        self.broken_output.is_some()
    }
}

impl Watch for RunWatch {
    fn video(&mut self, video_id: &str) {
        self.video = video_id.to_owned();
        self.event(&json!({ "event": "video", "video_id": video_id }));
    }

    fn sample(&mut self, record: &Record, running: &Running) {
        self.bar.sample(running);
        self.event(&json!({
            "event": "sample",
            "id": record.id,
            "video_id": record.video_id,
            "response": record.response,
            "prediction": record.prediction,
            "gold": record.gold,
            "score": record.score,
            "failure": record.failure,
            "done": running.done,
            "total": running.total,
            "accuracy": running.accuracy(),
            "failed": running.failed,
        }));
    }
}
