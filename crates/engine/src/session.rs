//! A video in the KV cache, and the conversation about it.

use crate::encode::{FrameEncoder, FrameReport, FrameTokens};
use crate::encoded::{EncodedFrames, HeldFrames};
use crate::evidence::{EvidenceWatch, NEUTRAL_PROMPT};
use crate::generate::{Continuation, generate, token_logprob};
use crate::index::{Index, IndexReceipt, Indexing};
use crate::memory::PeakMemory;
use crate::observer::{Observer, Silent, Stage};
use crate::pipeline::Answer;
use crate::plan::RunPlan;
use crate::prefill::{Prefill, next_rotary};
use crate::receipt::{Receipt, Timings};
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_models::decoder::AttentionProbe;
use longsight_models::processor::{Role, Turn};
use longsight_models::{KvCache, Lmm, Tensor};
use std::path::Path;
use std::time::Instant;

/// Holds the visual prefix and every turn so far, so that a further question costs only its own tokens.
pub struct Session<'a> {
    model: &'a Lmm,
    plan: RunPlan,
    settings: RunSettings,
    cache: KvCache,
    prefix_tokens: usize,
    /// Ids behind the visual prefix that the cache holds.
    held_ids: Vec<u32>,
    /// Of these, the leading ones that were prefilled in whole chunks: any prompt that begins with them computes the same.
    whole_chunk_ids: usize,
    turns: Vec<Turn>,
    questions: usize,
    timings: Timings,
    frames: FrameReport,
    evidence: Option<EvidenceWatch>,
    index: Option<IndexReceipt>,
    index_warnings: Vec<String>,
    peak: PeakMemory,
}

/// How a given answer fares against the model's own choices.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerScore {
    /// The answer's tokens.
    pub token_ids: Vec<u32>,
    /// The most probable token where each of them stands, all before it being the answer's.
    pub predicted_ids: Vec<u32>,
    /// Natural logarithms of their probabilities.
    pub logprobs: Vec<f64>,
}

impl AnswerScore {
    /// Whether the model would have given this answer.
    pub fn is_predicted(&self) -> bool {
        self.token_ids == self.predicted_ids
    }
}

impl<'a> Session<'a> {
    /// Decodes, encodes and prefills the video.
    pub fn start(
        model: &'a Lmm,
        plan: RunPlan,
        settings: &RunSettings,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut frames = FrameEncoder::open(model, &plan, settings)?;
        Self::begin(model, plan, settings, &mut frames, observer)
    }

    /// The same with an index of the video's work, where there is one: what it holds is not computed again, and what it lacks is
    /// kept there. What comes of it is bit-equal to [`Self::start`]. An index that cannot be used is a warning.
    pub fn start_indexed(
        model: &'a Lmm,
        mut plan: RunPlan,
        settings: &RunSettings,
        index: Option<(&Index, &Path)>,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let Some((index, model_folder)) = index else { return Self::start(model, plan, settings, observer) };
        let identity = match index.identify(&plan.video.source, model_folder) {
            Ok(identity) => identity,
            Err(error) => {
                plan.warnings.push(format!("index: not used: {error}"));
                return Self::start(model, plan, settings, observer);
            }
        };
        let mut session = Self::empty(model, plan, settings)?;
        let mut indexing = Indexing::new(index, &identity, (model, &session.plan, settings));
        let started = Instant::now();
        match indexing.read_prefix(&session.plan, &mut session.cache) {
            Some(report) => {
                session.frames = report;
                session.timings.index_secs = started.elapsed().as_secs_f64();
            }
            None => {
                let mut frames = indexing.frames((model, &session.plan, settings), observer)?;
                session.prefill_video(&mut *frames, observer)?;
                indexing.frames_done(&mut *frames);
                indexing.write_prefix(&session.cache, &session.plan, &session.frames, observer)?;
            }
        }
        session.watch_evidence(Some(&mut indexing), observer)?;
        (session.index, session.index_warnings) = (Some(indexing.receipt), indexing.warnings);
        Ok(session)
    }

    /// Prefills a video whose frames are encoded already, under any pooling whose strides `encoded` holds.
    pub fn start_encoded(
        model: &'a Lmm,
        plan: RunPlan,
        settings: &RunSettings,
        encoded: &EncodedFrames,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut frames = HeldFrames::new(encoded, &plan)?;
        Self::begin(model, plan, settings, &mut frames, observer)
    }

    fn begin(
        model: &'a Lmm,
        plan: RunPlan,
        settings: &RunSettings,
        frames: &mut dyn FrameTokens,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut session = Self::empty(model, plan, settings)?;
        session.prefill_video(frames, observer)?;
        session.watch_evidence(None, observer)?;
        Ok(session)
    }

    /// A session that has seen nothing yet.
    fn empty(model: &'a Lmm, plan: RunPlan, settings: &RunSettings) -> Result<Self> {
        let peak = PeakMemory::watch();
        let cache =
            KvCache::new(model.decoder().kv_shape(), plan.kv_capacity_tokens, plan.kv_dtype, model.device())?;
        Ok(Self {
            model,
            prefix_tokens: plan.layout.visual_prefix_tokens(),
            timings: Timings { probe_secs: plan.probe_secs, ..Timings::default() },
            plan,
            settings: settings.clone(),
            cache,
            held_ids: Vec::new(),
            whole_chunk_ids: 0,
            turns: Vec::new(),
            questions: 0,
            frames: FrameReport::default(),
            evidence: None,
            index: None,
            index_warnings: Vec::new(),
            peak,
        })
    }

    /// What was read from the index and written to it, where there is one.
    pub fn index(&self) -> Option<&IndexReceipt> {
        self.index.as_ref()
    }

    /// What went wrong with the index; no answer is the worse for it.
    pub fn index_warnings(&self) -> &[String] {
        &self.index_warnings
    }

    /// What this session does.
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// The conversation so far, as it was said (without what the plan puts before the first question).
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Questions answered.
    pub fn questions(&self) -> usize {
        self.questions
    }

    fn prefill_video(&mut self, frames: &mut dyn FrameTokens, observer: &mut dyn Observer) -> Result<()> {
        let total = self.plan.sample.frames.len();
        let text = self.model.decoder();
        let mut prefill =
            Prefill::new(self.model, self.plan.rotary(), &mut self.cache, self.settings.engine.chunk_tokens);
        prefill.push(text.embed(&self.plan.prompt.before_ids)?)?;
        observer.progress(Stage::Frames, 0, total);
        let mut done = 0;
        loop {
            let batch = frames.next_batch(&mut self.timings)?;
            if batch.is_empty() {
                break;
            }
            let started = Instant::now();
            for tokens in batch {
                if let Some(ids) = self.plan.prompt.between_ids.get(done).filter(|ids| !ids.is_empty()) {
                    prefill.push(text.embed(ids)?)?;
                }
                prefill.push(tokens)?;
                done += 1;
            }
            self.timings.prefill_secs += started.elapsed().as_secs_f64();
            observer.progress(Stage::Frames, done, total);
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
        let started = Instant::now();
        if self.plan.pool.trailing_newline_tokens() > 0 {
            prefill.push(self.model.newline()?)?;
        }
        prefill.flush()?;
        self.timings.prefill_secs += started.elapsed().as_secs_f64();
        self.frames = frames.report();
        Ok(())
    }

    /// Measures the neutral prompt's attention, where evidence is wanted, or takes it from the index.
    fn watch_evidence(
        &mut self,
        index: Option<&mut Indexing<'_>>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Some(wanted) = &self.settings.evidence else { return Ok(()) };
        let mut watch = EvidenceWatch::new(self.model, &self.plan, wanted)?;
        let mut probe = watch.probe();
        let neutral = match index {
            Some(index) => index.neutral(&probe.heads(), observer, || self.neutral_attention(&mut probe))?,
            None => self.neutral_attention(&mut probe)?,
        };
        watch.set_neutral(neutral);
        self.evidence = Some(watch);
        Ok(())
    }

    /// Attention of the neutral prompt's last token; the cache is left with the video alone.
    fn neutral_attention(&mut self, probe: &mut AttentionProbe) -> Result<Vec<f64>> {
        let turns = [Turn { role: Role::User, content: NEUTRAL_PROMPT.to_owned() }];
        let started = Instant::now();
        self.prefill_turns(&turns, 0, Some(probe), &mut Silent)?;
        self.held_ids.clear();
        self.whole_chunk_ids = 0;
        self.cache.truncate(self.prefix_tokens);
        self.timings.evidence_secs += started.elapsed().as_secs_f64();
        Ok(probe.mean_mass())
    }

    /// Asks the next question. On an error the conversation is as it was before.
    pub fn ask(&mut self, question: &str, observer: &mut dyn Observer) -> Result<Answer> {
        let mut turns = self.turns.clone();
        turns.push(Turn { role: Role::User, content: question.to_owned() });
        self.continue_conversation(turns, observer)
    }

    /// Asks in a conversation of its own: the answer is bit-equal to that of a fresh session.
    pub fn ask_anew(&mut self, question: &str, observer: &mut dyn Observer) -> Result<Answer> {
        self.forget_turns();
        self.ask(question, observer)
    }

    /// Answers the last turn of a conversation that may have been held elsewhere. `turns` begin and end with the user
    /// and alternate. Where they go on from this session's turns, what the cache holds of these is not computed again;
    /// otherwise only the video is kept, and whole chunks of text that both begin with, so that the answer is bit-equal to
    /// that of a session of its own.
    pub fn continue_conversation(&mut self, turns: Vec<Turn>, observer: &mut dyn Observer) -> Result<Answer> {
        let alternate = turns.iter().enumerate().all(|(i, turn)| (turn.role == Role::User) == (i % 2 == 0));
        if !alternate || turns.len().is_multiple_of(2) {
            return Err(EngineError::Setting(
                "a conversation begins and ends with the user, turn about".into(),
            ));
        }
        if !turns.starts_with(&self.turns) {
            self.forget_turns();
        }
        let answer = self.answer_last_turn(&turns, observer)?;
        self.turns = turns;
        self.turns.push(Turn { role: Role::Assistant, content: answer.text.clone() });
        Ok(answer)
    }

    /// How `answer` would fare as the answer to `question`, asked in a conversation of its own (teacher forcing: every
    /// token is predicted from the true ones before it). The answer's tokens are those of its text alone.
    pub fn score_answer(
        &mut self,
        question: &str,
        answer: &str,
        observer: &mut dyn Observer,
    ) -> Result<AnswerScore> {
        self.forget_turns();
        let turns = [Turn { role: Role::User, content: question.to_owned() }];
        let token_ids = self.model.tokenizer().encode(answer)?;
        let mut logits = self.prefill_turns(&turns, token_ids.len(), None, observer)?.0;
        let mut score = AnswerScore { predicted_ids: Vec::new(), logprobs: Vec::new(), token_ids };
        for (i, token) in score.token_ids.iter().enumerate() {
            if i > 0 {
                let fed = score.token_ids[i - 1];
                let rotary = next_rotary(self.plan.rotary(), &self.cache, 1, self.model)?;
                let text = self.model.decoder();
                let hidden = text.forward(&text.embed(&[fed])?, &rotary, &mut self.cache)?;
                self.held_ids.push(fed);
                logits = text.last_logits(&hidden)?;
            }
            let (predicted, logprob) = token_logprob(&logits, *token);
            score.predicted_ids.push(predicted);
            score.logprobs.push(logprob);
        }
        Ok(score)
    }

    /// Begins a new conversation: of the text in the cache only whole chunks may serve it.
    fn forget_turns(&mut self) {
        self.turns.clear();
        self.held_ids.truncate(self.whole_chunk_ids);
    }

    fn answer_last_turn(&mut self, turns: &[Turn], observer: &mut dyn Observer) -> Result<Answer> {
        let mut timings = std::mem::take(&mut self.timings); // the video counts for the first question only
        let mut probe = self.evidence.as_ref().map(EvidenceWatch::probe);
        let started = Instant::now();
        let most = self.settings.generation.max_new_tokens;
        let (logits, prompt_ids, reused) = self.prefill_turns(turns, most, probe.as_mut(), observer)?;
        timings.prefill_secs += started.elapsed().as_secs_f64();
        let started = Instant::now();
        let prompt = Continuation {
            model: self.model,
            rope: self.plan.rotary(),
            cache: &mut self.cache,
            probe: probe.as_mut(),
        };
        let generation = generate(prompt, logits, &self.settings.generation, observer)?;
        timings.generate_secs = started.elapsed().as_secs_f64();
        let fed = self.cache.tokens() - self.prefix_tokens - self.held_ids.len();
        self.held_ids.extend(&generation.token_ids[..fed]);
        let text = self.model.tokenizer().decode(&generation.token_ids)?.trim().to_owned();
        let receipt = Receipt::new(self, prompt_ids, reused, &generation, timings);
        self.questions += 1;
        let watched = self.evidence.as_ref().zip(probe.as_ref());
        let evidence = watched.map(|(watch, probe)| watch.evidence(&self.plan, probe));
        Ok(Answer { text, generation, evidence, receipt })
    }

    /// Prefills the text of a conversation. Returns the logits of its answer's first token, the number of ids behind the
    /// visual prefix, and how many of these the cache held already.
    fn prefill_turns(
        &mut self,
        turns: &[Turn],
        answer_tokens: usize,
        probe: Option<&mut AttentionProbe>,
        observer: &mut dyn Observer,
    ) -> Result<(Vec<f32>, usize, usize)> {
        let ids = self.plan.prompt.question_ids(self.model.info(), turns, &self.settings)?;
        let reused = self.keep_common(&ids);
        self.cache.ensure_room(ids.len() - reused + answer_tokens)?;
        let hidden = self.prefill_text(&ids, reused, probe, observer)?;
        Ok((self.model.decoder().last_logits(&hidden)?, ids.len(), reused))
    }

    /// Drops from the cache what does not begin `ids`, and returns how many of them it still holds. At least one id is
    /// left to run, since its hidden state gives the next logits. A new conversation keeps whole chunks only.
    fn keep_common(&mut self, ids: &[u32]) -> usize {
        let chunk = self.settings.engine.chunk_tokens;
        let common = self.held_ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        let mut kept = common.min(ids.len().saturating_sub(1));
        if self.turns.is_empty() {
            kept = kept.min(self.whole_chunk_ids);
            kept -= kept % chunk;
        }
        self.whole_chunk_ids = self.whole_chunk_ids.min(kept - kept % chunk);
        self.held_ids.truncate(kept);
        self.cache.truncate(self.prefix_tokens + kept);
        kept
    }

    /// Prefills `ids` from `start` on; `probe` watches the last of them. Chunks are counted from the end of the visual prefix.
    fn prefill_text(
        &mut self,
        ids: &[u32],
        start: usize,
        mut probe: Option<&mut AttentionProbe>,
        observer: &mut dyn Observer,
    ) -> Result<Tensor> {
        let chunk = self.settings.engine.chunk_tokens;
        let text = self.model.decoder();
        let mut hidden = None;
        let mut at = start;
        while at < ids.len() {
            let end = ids.len().min((at / chunk + 1) * chunk);
            let watch = probe.as_deref_mut().filter(|_| end == ids.len());
            let mut prefill =
                Prefill::new(self.model, self.plan.rotary(), &mut self.cache, chunk).watched_by(watch);
            prefill.push(text.embed(&ids[at..end])?)?;
            hidden = prefill.flush()?;
            self.held_ids.extend(&ids[at..end]);
            if at == self.whole_chunk_ids && end - at == chunk {
                self.whole_chunk_ids = end;
            }
            at = end;
            observer.progress(Stage::Prompt, at - start, ids.len() - start);
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
        hidden.ok_or_else(|| EngineError::Setting("the chat template leaves nothing to answer".into()))
    }

    pub(crate) fn parts(&self) -> (&Lmm, &RunPlan, &RunSettings, &KvCache, &FrameReport, &PeakMemory) {
        (self.model, &self.plan, &self.settings, &self.cache, &self.frames, &self.peak)
    }
}
