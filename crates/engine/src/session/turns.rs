//! Questions and answers after the video.

use super::Session;
use crate::answer::{Answer, AnswerScore};
use crate::evidence::EvidenceWatch;
use crate::generate::{Continuation, generate, token_logprob};
use crate::observer::{Observer, Stage};
use crate::prefill::{Prefill, next_rotary};
use crate::receipt::ReceiptFacts;
use crate::{EngineError, Result};
use longsight_models::Tensor;
use longsight_models::decoder::AttentionProbe;
use longsight_models::processor::{Role, Turn};
use std::time::Instant;

impl Session {
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
            return Err(EngineError::request("a conversation begins and ends with the user, turn about"));
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
                let rotary = next_rotary(self.plan.rotary(), &self.cache, 1, &self.model)?;
                let text = self.model.decoder();
                let hidden = text.forward(&text.embed(&[fed])?, &rotary, &mut self.cache)?;
                self.held.extend(&[fed]);
                logits = text.last_logits(&hidden)?;
            }
            let (predicted, logprob) = token_logprob(&logits, *token);
            score.predicted_ids.push(predicted);
            score.logprobs.push(logprob);
        }
        Ok(score)
    }

    fn forget_turns(&mut self) {
        self.turns.clear();
        self.held.forget_turns();
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
            model: &self.model,
            rope: self.plan.rotary(),
            cache: &mut self.cache,
            probe: probe.as_mut(),
        };
        let generation = generate(prompt, logits, &self.settings.generation, observer)?;
        timings.generate_secs = started.elapsed().as_secs_f64();
        let fed = self.cache.tokens() - self.prefix_tokens - self.held.len();
        self.held.extend(&generation.token_ids[..fed]);
        let text = self.model.tokenizer().decode(&generation.token_ids)?.trim().to_owned();
        let receipt = ReceiptFacts {
            model: &self.model,
            plan: &self.plan,
            settings: &self.settings,
            cache: &self.cache,
            frames: &self.frames,
            index: self.index.as_ref(),
            index_warnings: &self.index_warnings,
            peak_bytes: self.peak.peak_bytes(),
            is_first: self.questions == 0,
            after_tokens: prompt_ids,
            reused_text_tokens: reused,
            generation: &generation,
        }
        .receipt(timings);
        self.questions += 1;
        let watched = self.evidence.as_ref().zip(probe.as_ref());
        let evidence = watched.map(|(watch, probe)| watch.evidence(&self.plan, probe));
        Ok(Answer { text, generation, evidence, receipt })
    }

    /// Prefills the text of a conversation. Returns the logits of its answer's first token, the number of ids behind the
    /// visual prefix, and how many of these the cache held already.
    pub(super) fn prefill_turns(
        &mut self,
        turns: &[Turn],
        answer_tokens: usize,
        probe: Option<&mut AttentionProbe>,
        observer: &mut dyn Observer,
    ) -> Result<(Vec<f32>, usize, usize)> {
        if observer.stop() {
            return Err(EngineError::Stopped);
        }
        let ids = self.plan.prompt.question_ids(self.model.info(), turns, &self.settings)?;
        let chunk = self.settings.engine.chunk_tokens;
        let reused = self.held.keep_common(&ids, self.turns.is_empty(), chunk);
        self.cache.truncate(self.prefix_tokens + reused);
        self.cache.ensure_room(ids.len() - reused + answer_tokens)?;
        let hidden = self.prefill_text(&ids, reused, probe, observer)?;
        Ok((self.model.decoder().last_logits(&hidden)?, ids.len(), reused))
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
                Prefill::new(&self.model, self.plan.rotary(), &mut self.cache, chunk).watched_by(watch);
            prefill.push(text.embed(&ids[at..end])?)?;
            hidden = prefill.flush()?;
            self.held.extend_by_chunk(&ids[at..end], at, chunk);
            at = end;
            observer.progress(Stage::Prompt, at - start, ids.len() - start);
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
        hidden.ok_or_else(|| EngineError::request("the chat template leaves nothing to answer"))
    }
}
