//! A video in the KV cache, and the conversation about it.

use crate::encode::{FrameEncoder, Replaced};
use crate::generate::generate;
use crate::memory::PeakMemory;
use crate::observer::{Observer, Stage};
use crate::pipeline::Answer;
use crate::plan::RunPlan;
use crate::prefill::Prefill;
use crate::receipt::{Receipt, Timings};
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_models::processor::{Role, Turn};
use longsight_models::{KvCache, Llava, Tensor};
use std::time::Instant;

/// Holds the visual prefix and every turn so far, so that a further question costs only its own tokens.
pub struct Session<'a> {
    model: &'a Llava,
    plan: RunPlan,
    settings: RunSettings,
    cache: KvCache,
    prefix_tokens: usize,
    /// Ids behind the visual prefix that the cache holds.
    held_ids: Vec<u32>,
    turns: Vec<Turn>,
    timings: Timings,
    replaced: Vec<Replaced>,
    peak: PeakMemory,
}

impl<'a> Session<'a> {
    /// Decodes, encodes and prefills the video.
    pub fn start(
        model: &'a Llava,
        plan: RunPlan,
        settings: &RunSettings,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let peak = PeakMemory::watch();
        let cache =
            KvCache::new(model.text().kv_shape(), plan.kv_capacity_tokens, model.dtype(), model.device())?;
        let mut session = Self {
            model,
            prefix_tokens: plan.positions.visual_prefix_tokens(),
            timings: Timings { probe_secs: plan.probe_secs, ..Timings::default() },
            plan,
            settings: settings.clone(),
            cache,
            held_ids: Vec::new(),
            turns: Vec::new(),
            replaced: Vec::new(),
            peak,
        };
        session.prefill_video(observer)?;
        Ok(session)
    }

    /// What this session does.
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// The conversation so far, as it was said (without what the plan puts before the first question).
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    fn prefill_video(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let mut encoder = FrameEncoder::open(self.model, &self.plan, &self.settings)?;
        let total = self.plan.sample.frames.len();
        let text = self.model.text();
        let mut prefill =
            Prefill::new(self.model, &self.plan.rope, &mut self.cache, self.settings.engine.chunk_tokens);
        prefill.push(text.embed(&self.plan.before_ids)?)?;
        observer.progress(Stage::Frames, 0, total);
        while let Some(tokens) = encoder.next_batch(&mut self.timings)? {
            let started = Instant::now();
            prefill.push(tokens)?;
            self.timings.prefill_secs += started.elapsed().as_secs_f64();
            observer.progress(Stage::Frames, encoder.done(), total);
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
        let started = Instant::now();
        if let Some(newline) = self.model.final_newline()? {
            prefill.push(newline)?;
        }
        prefill.flush()?;
        self.timings.prefill_secs += started.elapsed().as_secs_f64();
        self.replaced = encoder.replaced;
        Ok(())
    }

    /// Asks the next question. On an error the conversation is as it was before.
    pub fn ask(&mut self, question: &str, observer: &mut dyn Observer) -> Result<Answer> {
        let mut turns = self.turns.clone();
        turns.push(Turn { role: Role::User, content: question.to_owned() });
        self.continue_conversation(turns, observer)
    }

    /// Answers the last turn of a conversation that may have been held elsewhere. `turns` begin and end with the user
    /// and alternate. Where they go on from this session's turns, what the cache holds of these is not computed again;
    /// otherwise only the video is kept, so that the answer is bit-equal to that of a session of its own.
    pub fn continue_conversation(&mut self, turns: Vec<Turn>, observer: &mut dyn Observer) -> Result<Answer> {
        let alternate = turns.iter().enumerate().all(|(i, turn)| (turn.role == Role::User) == (i % 2 == 0));
        if !alternate || turns.len().is_multiple_of(2) {
            return Err(EngineError::Setting(
                "a conversation begins and ends with the user, turn about".into(),
            ));
        }
        if !turns.starts_with(&self.turns) {
            self.held_ids.clear();
            self.turns.clear();
        }
        let answer = self.answer_last_turn(&turns, observer)?;
        self.turns = turns;
        self.turns.push(Turn { role: Role::Assistant, content: answer.text.clone() });
        Ok(answer)
    }

    fn answer_last_turn(&mut self, turns: &[Turn], observer: &mut dyn Observer) -> Result<Answer> {
        let ids = self.plan.question_ids(self.model.info(), turns, self.settings.template)?;
        let reused = self.keep_common(&ids);
        let needed = ids.len() - reused + self.settings.generation.max_new_tokens;
        self.cache.ensure_room(needed)?;
        let mut timings = std::mem::take(&mut self.timings); // the video counts for the first question only
        let started = Instant::now();
        let hidden = self.prefill_text(&ids, reused, observer)?;
        let logits = self.model.text().last_logits(&hidden)?;
        timings.prefill_secs += started.elapsed().as_secs_f64();
        let started = Instant::now();
        let how = &self.settings.generation;
        let generation = generate(self.model, &self.plan.rope, &mut self.cache, logits, how, observer)?;
        timings.generate_secs = started.elapsed().as_secs_f64();
        let fed = self.cache.tokens() - self.prefix_tokens - self.held_ids.len();
        self.held_ids.extend(&generation.token_ids[..fed]);
        let text = self.model.tokenizer().decode(&generation.token_ids)?.trim().to_owned();
        let receipt = Receipt::new(self, ids.len(), reused, &generation, timings);
        Ok(Answer { text, generation, receipt })
    }

    /// Drops from the cache what does not begin `ids`, and returns how many of them it still holds. At least one id is
    /// left to run, since its hidden state gives the next logits.
    fn keep_common(&mut self, ids: &[u32]) -> usize {
        let common = self.held_ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        let kept = common.min(ids.len().saturating_sub(1));
        self.held_ids.truncate(kept);
        self.cache.truncate(self.prefix_tokens + kept);
        kept
    }

    /// Prefills `ids` from `start` on. Chunks are counted from the end of the visual prefix.
    fn prefill_text(&mut self, ids: &[u32], start: usize, observer: &mut dyn Observer) -> Result<Tensor> {
        let chunk = self.settings.engine.chunk_tokens;
        let text = self.model.text();
        let mut hidden = None;
        let mut at = start;
        while at < ids.len() {
            let end = ids.len().min((at / chunk + 1) * chunk);
            let mut prefill = Prefill::new(self.model, &self.plan.rope, &mut self.cache, chunk);
            prefill.push(text.embed(&ids[at..end])?)?;
            hidden = prefill.flush()?;
            self.held_ids.extend(&ids[at..end]);
            at = end;
            observer.progress(Stage::Prompt, at - start, ids.len() - start);
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
        hidden.ok_or_else(|| EngineError::Setting("the chat template leaves nothing to answer".into()))
    }

    pub(crate) fn parts(&self) -> (&Llava, &RunPlan, &RunSettings, &KvCache, &[Replaced], &PeakMemory) {
        (self.model, &self.plan, &self.settings, &self.cache, &self.replaced, &self.peak)
    }
}
