//! The loop that asks: for each video one session, for each of its questions one line in the log.

use crate::run::RunFolder;
use crate::run::question::{Question, question};
use crate::run::receipts::digest_receipt;
use crate::run::timer::FirstToken;
use crate::score::score_record;
use crate::{EvalError, Measured, Profile, PromptKey, Record, Result, Sample, Task};
use longsight_engine::{
    Answer, ContextSettings, EncodedFrames, EngineError, FrameSource, Frames, Observer, Planned, Probed,
    Request, RunSettings,
};
use longsight_method::PoolSpec;
use longsight_models::Lmm;
use longsight_video::{VideoError, VideoSource};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// How samples are asked.
#[derive(Debug, Clone)]
pub struct EvalSettings {
    /// What is asked.
    pub task: Task,
    /// Prompt, extractor and averaging.
    pub profile: Profile,
    /// The model-specific words of the prompt.
    pub prompt_key: PromptKey,
    /// The engine's settings; the prompt's part is filled in for each sample.
    pub run: RunSettings,
}

/// Numbers of a run under way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Running {
    /// Samples selected.
    pub total: usize,
    /// Answered or failed, earlier runs included.
    pub done: usize,
    /// Answered in this process.
    pub answered: usize,
    /// Right, of those with a known answer.
    pub correct: usize,
    /// Those with a known answer.
    pub scored: usize,
    /// Failed in this process.
    pub failed: usize,
}

impl Running {
    /// Part of the scored ones that were right; None before the first.
    pub fn accuracy(&self) -> Option<f64> {
        (self.scored > 0).then(|| self.correct as f64 / self.scored as f64)
    }
}

/// Watches a run.
pub trait Watch: Observer {
    /// A video is begun.
    fn video(&mut self, _video_id: &str) {}
    /// A sample is in the log.
    fn sample(&mut self, _record: &Record, _running: &Running) {}
}

/// One of several settings that are asked together: they differ in context method and pooling only.
pub struct Variant {
    /// How positions are extended.
    pub context: ContextSettings,
    /// How frames are pooled.
    pub pool: Option<PoolSpec>,
    /// Where its answers go.
    pub folder: RunFolder,
}

/// Asks every sample that a variant's folder does not hold yet. Questions on one video share its decoding, encoding and
/// prefill; several variants share decoding and encoding. Answers are bit-equal to those of runs of their own.
///
/// # Errors
/// What stops a run as a whole: the log cannot be written, settings that are invalid, too little memory, or the caller
/// asked to stop. A video that fails is recorded.
pub fn run(
    model: &Arc<Lmm>,
    samples: &[Sample],
    settings: &EvalSettings,
    variants: &mut [Variant],
    watch: &mut dyn Watch,
) -> Result<Running> {
    let done = |v: &Variant| samples.iter().filter(|sample| v.folder.done.contains(&sample.id)).count();
    let done = variants.iter().map(done).sum();
    let running = Running { total: samples.len() * variants.len(), done, ..Default::default() };
    let mut asker = Asker { model, settings, variants, watch, running };
    for video in by_video(samples) {
        asker.video(video)?;
    }
    Ok(asker.running)
}

/// Samples grouped by their video, videos in order of their first sample.
fn by_video(samples: &[Sample]) -> Vec<Vec<&Sample>> {
    let mut groups: Vec<Vec<&Sample>> = Vec::new();
    let mut numbers = HashMap::new();
    for sample in samples {
        let number = *numbers.entry(&sample.video).or_insert(groups.len());
        match groups.get_mut(number) {
            Some(group) => group.push(sample),
            None => groups.push(vec![sample]),
        }
    }
    groups
}

struct Asker<'a> {
    model: &'a Arc<Lmm>,
    settings: &'a EvalSettings,
    variants: &'a mut [Variant],
    watch: &'a mut dyn Watch,
    running: Running,
}

impl Asker<'_> {
    fn is_pending(&self, variant: usize, sample: &Sample) -> bool {
        !self.variants[variant].folder.done.contains(&sample.id)
    }

    /// Asks what is pending of one video's samples.
    fn video(&mut self, mut samples: Vec<&Sample>) -> Result<()> {
        samples.retain(|sample| (0..self.variants.len()).any(|variant| self.is_pending(variant, sample)));
        let Some(first) = samples.first() else { return Ok(()) };
        self.watch.video(&first.video_id);
        let source = VideoSource::File(first.video.clone());
        let probed = match Probed::read(&source, &self.settings.run) {
            Ok(probed) => probed,
            Err(error) => return self.fail(&samples, &fault(error)?),
        };
        let mut questions = Vec::new();
        for sample in samples {
            match question(sample, &probed.video, self.settings) {
                Ok(question) => questions.push(question),
                Err(error) => self.fail(&[sample], &fault(error)?)?,
            }
        }
        for together in questions.chunk_by(Question::shares_video) {
            self.together(&probed, together)?;
        }
        Ok(())
    }

    /// Questions whose frames and the text around these are the same: encoded once where several variants need them.
    fn together(&mut self, video: &Probed, questions: &[Question<'_>]) -> Result<()> {
        let mut waiting = Vec::new();
        for variant in 0..self.variants.len() {
            let pending: Vec<&Question<'_>> =
                questions.iter().filter(|question| self.is_pending(variant, question.sample)).collect();
            if !pending.is_empty() {
                waiting.push((variant, pending));
            }
        }
        let encoded = match &waiting[..] {
            [] | [_] => None,
            several => match self.encode(video, several) {
                Ok(encoded) => Some(encoded),
                Err(error) => {
                    let samples: Vec<&Sample> = questions.iter().map(|question| question.sample).collect();
                    return self.fail(&samples, &fault(error)?);
                }
            },
        };
        for (variant, pending) in waiting {
            self.session(video, variant, &pending, encoded.as_ref())?;
        }
        Ok(())
    }

    /// The frames under every stride that a waiting variant pools with.
    fn encode(
        &mut self,
        video: &Probed,
        waiting: &[(usize, Vec<&Question<'_>>)],
    ) -> Result<EncodedFrames, EngineError> {
        let mut strides = BTreeSet::new();
        let mut planned = None;
        for (variant, pending) in waiting {
            let Planned { plan, settings } = self.plan(video, *variant, &pending[0].run, &[])?;
            strides.extend(plan.pool.units.iter().map(|frame| frame.stride));
            planned = Some((plan, settings));
        }
        let Some((plan, run)) = planned else {
            return Err(EngineError::internal("no variant waits for this video"));
        };
        let strides: Vec<usize> = strides.into_iter().collect();
        EncodedFrames::encode(self.model, &plan, &strides, &run, &mut FirstToken::begin(self.watch))
    }

    fn settings_of(&self, variant: usize, run: &RunSettings) -> RunSettings {
        let Variant { context, pool, .. } = &self.variants[variant];
        RunSettings { context: context.clone(), pool: *pool, ..run.clone() }
    }

    /// A variant's plan of questions that are asked as `run` says.
    fn plan(
        &self,
        video: &Probed,
        variant: usize,
        run: &RunSettings,
        questions: &[&str],
    ) -> Result<Planned, EngineError> {
        let (video, settings) = (video.clone(), self.settings_of(variant, run));
        let request = Request { video, settings, frames: Frames::Chosen, earlier: &[], questions };
        request.plan(self.model.info())
    }

    /// One variant's questions on a video whose prefix they share.
    fn session(
        &mut self,
        video: &Probed,
        variant: usize,
        questions: &[&Question<'_>],
        encoded: Option<&EncodedFrames>,
    ) -> Result<()> {
        let Some(first) = questions.first() else { return Ok(()) };
        let asked: Vec<&str> = questions.iter().map(|question| question.text.as_str()).collect();
        let mut started = Instant::now();
        let planned = self.plan(video, variant, &first.run, &asked);
        let mut timer = FirstToken::begin(self.watch);
        let source = encoded.map_or(FrameSource::Video, FrameSource::Encoded);
        let session = planned.and_then(|planned| planned.start(self.model, source, &mut timer));
        let mut session = match session {
            Ok(session) => session,
            Err(error) => {
                let reason = fault(error)?;
                return questions
                    .iter()
                    .try_for_each(|question| self.failed(variant, question.sample, &reason));
            }
        };
        for (i, question) in questions.iter().enumerate() {
            let mut timer = FirstToken::since(started, self.watch);
            let answer = session.ask_anew(&question.text, &mut timer);
            let secs = (timer.first_secs(), started.elapsed().as_secs_f64());
            match answer {
                Ok(answer) => self.answered(variant, question.sample, &answer, secs, i > 0)?,
                Err(error) => self.failed(variant, question.sample, &fault(error)?)?,
            }
            started = Instant::now();
        }
        Ok(())
    }

    fn answered(
        &mut self,
        variant: usize,
        sample: &Sample,
        answer: &Answer,
        (first_token_secs, total_secs): (f64, f64),
        shared_video: bool,
    ) -> Result<()> {
        let receipt = &answer.receipt;
        let measured = Measured {
            frames: receipt.frames.len(),
            visual_tokens: receipt.tokens.visual,
            prompt_tokens: receipt.tokens.prompt,
            scale: receipt.context.scale,
            peak_bytes: receipt.peak_bytes,
            first_token_secs,
            total_secs,
            shared_video,
        };
        let (digest, line) = digest_receipt(&sample.id, answer)?;
        let record = Record {
            response: Some(answer.text.clone()),
            receipt_digest: Some(digest),
            measured: Some(measured),
            ..sample.record()
        };
        self.running.answered += 1;
        self.append(variant, record, Some(&line))
    }

    /// Records that the samples' video failed, for every variant that waits for them.
    fn fail(&mut self, samples: &[&Sample], reason: &str) -> Result<()> {
        for sample in samples {
            for variant in 0..self.variants.len() {
                if self.is_pending(variant, sample) {
                    self.failed(variant, sample, reason)?;
                }
            }
        }
        Ok(())
    }

    fn failed(&mut self, variant: usize, sample: &Sample, reason: &str) -> Result<()> {
        self.running.failed += 1;
        self.append(variant, Record { failure: Some(reason.to_owned()), ..sample.record() }, None)
    }

    fn append(&mut self, variant: usize, mut record: Record, receipt: Option<&Value>) -> Result<()> {
        score_record(&mut record, self.settings.profile);
        self.variants[variant].folder.append(&record, receipt)?;
        self.running.done += 1;
        if record.gold.is_some() {
            self.running.scored += 1;
            self.running.correct += usize::from(record.score > 0.5);
        }
        self.watch.sample(&record, &self.running);
        Ok(())
    }
}

/// What a sample's failure is recorded as, where its own video or subtitles are at fault. Any other error stops the run:
/// settings that are invalid, or too little memory, would count every sample wrong.
fn fault(error: impl Into<EvalError>) -> Result<String> {
    let error = error.into();
    let is_own = match &error {
        EvalError::File { .. } | EvalError::Text(_) | EvalError::Row { .. } => true,
        EvalError::Engine(EngineError::Video(error)) => !matches!(
            error,
            VideoError::NoFramesAsked
                | VideoError::TooManyFramesAsked { .. }
                | VideoError::BadFps { .. }
                | VideoError::ToolMissing { .. }
        ),
        EvalError::Engine(_) | EvalError::Setting(_) | EvalError::Report(_) => false,
    };
    if is_own { Ok(error.to_string()) } else { Err(error) }
}
