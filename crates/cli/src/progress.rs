//! Progress on standard error, on a terminal only.

use crate::out::{AnswerStream, harmless};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use longsight_engine::{Observer, Stage};
use longsight_eval::run::Running;
use longsight_hub::DownloadProgress;
use longsight_world::Progress;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

fn bar(total: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(style(template));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Bars of an answer's stages; they make room for its text.
pub struct RunProgress {
    bars: bool,
    bar: Option<(Stage, ProgressBar)>,
    waiting: bool,
    answer: AnswerStream,
}

impl RunProgress {
    /// `stream` writes the answer's text to standard output as it is made.
    pub fn new(quiet: bool, stream: bool) -> Self {
        let bars = !quiet && std::io::stderr().is_terminal();
        Self { bars, bar: None, waiting: false, answer: AnswerStream::new(stream) }
    }

    /// Takes the bars away and ends the answer, [`AnswerStream::finish`].
    pub fn finish(mut self, answered: bool) -> anyhow::Result<()> {
        self.clear();
        self.answer.finish(answered)
    }

    fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Observer for RunProgress {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) {
        if !self.bars {
            return;
        }
        if self.bar.as_ref().is_none_or(|(of, _)| *of != stage) {
            self.clear();
            let what = match stage {
                Stage::Frames => "frames",
                Stage::Prompt => "prompt tokens",
            };
            let template = format!("{{elapsed}} {{bar:30}} {{pos}}/{{len}} {what}, {{eta}} left");
            self.bar = Some((stage, bar(total as u64, &template)));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_position(done as u64);
        }
        if done == total {
            self.clear();
        }
    }

    fn waiting(&mut self) {
        if self.bars && !std::mem::replace(&mut self.waiting, true) {
            crate::out::note("another process is at work on this video; waiting for it");
        }
    }

    fn text(&mut self, piece: &str) {
        if self.answer.is_shown() {
            self.clear();
            self.answer.write(piece);
        }
    }

    fn stop(&mut self) -> bool {
        self.answer.has_failed()
    }
}

/// The bar of a benchmark: questions done, running accuracy, failures, and how far the video at hand is.
pub struct EvalBar(Option<ProgressBar>);

impl EvalBar {
    pub fn new(quiet: bool, total: usize) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        Self(shown.then(|| bar(total as u64, "{elapsed} {bar:30} {pos}/{len} questions, {eta} left{msg}")))
    }

    /// Shows how many of a video's frames are encoded.
    pub fn frames(&self, video: &str, done: usize, total: usize) {
        if let Some(bar) = &self.0 {
            bar.set_prefix(format!("{}: frame {done}/{total}", harmless(video)));
            bar.set_style(style("{elapsed} {bar:30} {pos}/{len} questions, {eta} left{msg} ({prefix})"));
        }
    }

    /// Shows that one more question is answered or has failed.
    pub fn sample(&self, running: &Running) {
        let Some(bar) = &self.0 else { return };
        let accuracy =
            running.accuracy().map_or(String::new(), |right| format!(", {:.1}% right", 100.0 * right));
        let failed = if running.failed == 0 { String::new() } else { format!(", {} FAILED", running.failed) };
        bar.set_message(format!("{accuracy}{failed}"));
        bar.set_position(running.done as u64);
    }

    pub fn finish(&self) {
        self.0.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// The bar of a world in the making, in frames.
pub struct WorldBar {
    bar: Option<ProgressBar>,
    videos: usize,
    /// Frames done of each video under way.
    under_way: BTreeMap<usize, u64>,
    done: usize,
}

impl WorldBar {
    pub fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let bar = shown.then(|| bar(0, "{elapsed} {bar:30} {pos}/{len} frames, {msg}, {eta} left"));
        Self { bar, videos: 0, under_way: BTreeMap::new(), done: 0 }
    }

    pub fn show(&mut self, progress: Progress) {
        let Some(bar) = &self.bar else { return };
        match progress {
            Progress::Planned { videos, frames } => {
                self.videos = videos;
                bar.set_length(frames);
            }
            Progress::Started { video, .. } => drop(self.under_way.insert(video, 0)),
            Progress::Frames { video, done } => drop(self.under_way.insert(video, done)),
            Progress::Done { .. } => self.done += 1,
        }
        bar.set_message(format!("{}/{} videos", self.done, self.videos));
        bar.set_position(self.under_way.values().sum());
    }

    pub fn finish(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// A bar a file.
#[derive(Default)]
pub struct DownloadBars(Mutex<Option<ProgressBar>>);

impl DownloadBars {
    fn with(&self, change: impl FnOnce(&mut Option<ProgressBar>)) {
        // A poisoned lock only means that a bar was lost.
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl DownloadProgress for DownloadBars {
    fn start(&self, file: &str, total_bytes: Option<u64>, already_bytes: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        self.with(|slot| {
            let new = bar(total_bytes.unwrap_or(0), "{msg} {bar:30} {bytes}/{total_bytes}, {eta} left");
            new.set_message(file.to_owned());
            new.set_position(already_bytes);
            if let Some(old) = slot.replace(new) {
                old.finish_and_clear();
            }
        });
    }

    fn advance(&self, bytes: u64) {
        self.with(|slot| slot.iter().for_each(|bar| bar.inc(bytes)));
    }

    fn finish(&self) {
        self.with(|slot| slot.take().iter().for_each(ProgressBar::finish_and_clear));
    }
}

/// A bar over the weights of a checkpoint.
pub struct WeightsBar(Option<ProgressBar>);

impl WeightsBar {
    /// Nothing off a terminal.
    pub fn new(quiet: bool) -> Self {
        let template = "quantizing {bar:30} {percent}% of the weights, {eta} left";
        Self((!quiet && std::io::stderr().is_terminal()).then(|| bar(0, template)))
    }

    /// `done` of `total` weights.
    pub fn show(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

impl Drop for WeightsBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
