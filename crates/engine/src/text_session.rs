//! A conversation with a language model alone: no video, so no plan; the prompt goes through the same prefill and the
//! same generation.

use crate::generate::{Continuation, Generation, generate};
use crate::observer::Observer;
use crate::plan::without_special_tokens;
use crate::prefill::Prefill;
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_method::{ContextMethod, Positions, RopePlan};
use longsight_models::processor::{Conversation, Role, Turn};
use longsight_models::{KvCache, Lmm, ModelError};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// The turns so far, and the keys and values of their tokens.
pub struct TextSession {
    model: Arc<Lmm>,
    settings: RunSettings,
    rope: RopePlan,
    turns: Vec<Turn>,
    /// The ids that the cache holds.
    held: Vec<u32>,
    /// Made for the first prompt.
    cache: Option<KvCache>,
}

/// An answer, with what it took.
#[derive(Debug, Clone, Serialize)]
pub struct TextAnswer {
    /// Its text.
    pub text: String,
    /// Its tokens.
    #[serde(flatten)]
    pub generation: Generation,
    /// What was done.
    pub receipt: TextReceipt,
}

/// What an answer of a language model alone took.
#[derive(Debug, Clone, Serialize)]
pub struct TextReceipt {
    /// What the model's file calls itself.
    pub family: String,
    /// Dtype of its weights.
    pub dtype: &'static str,
    /// The context method, of which only a fixed scale changes anything without visual tokens.
    pub context: ContextMethod,
    /// Tokens of the prompt, earlier turns included.
    pub prompt_tokens: usize,
    /// Of these, the leading ones that the KV cache held already.
    pub reused_tokens: usize,
    /// Seconds until the first token's logits.
    pub prefill_secs: f64,
    /// Seconds from there to the answer's end.
    pub generate_secs: f64,
}

impl TextSession {
    /// A conversation that has not begun.
    ///
    /// # Errors
    /// Context settings that do not fit the model.
    pub fn new(model: Arc<Lmm>, settings: RunSettings) -> Result<Self> {
        let (config, context) = (model.config(), &settings.context);
        let shape = config.rope_shape(context.visual_window_tokens, context.language_window_tokens);
        let rope = RopePlan::new(&context.rope(config.ramp), &shape, 0)?;
        Ok(Self { model, settings, rope, turns: Vec::new(), held: Vec::new(), cache: None })
    }

    /// The conversation so far.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// The prompt that `question` makes after the turns so far, by the checkpoint's template.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn prompt(&self, question: &str) -> Result<String> {
        let content = without_special_tokens(self.model.info(), question);
        let mut turns = self.turns.clone();
        turns.push(Turn { role: Role::User, content });
        let prompt = &self.settings.prompt;
        let conversation = Conversation {
            system: prompt.system.as_deref(),
            answer_prefix: &prompt.answer_prefix,
            ..Conversation::from(&turns[..])
        };
        Ok(self.model.template().render_text(&*self.model.config().family, &conversation)?)
    }

    /// Asks the next question. On an error the conversation is as it was before.
    ///
    /// # Errors
    /// A conversation that no longer fits, or the observer stopped it.
    pub fn ask(&mut self, question: &str, observer: &mut dyn Observer) -> Result<TextAnswer> {
        let ids = self.model.tokenizer().encode_prompt(&self.prompt(question)?)?;
        let answer = self.continue_ids(&ids, observer)?;
        let said =
            |role, content: &str| Turn { role, content: without_special_tokens(self.model.info(), content) };
        let turns = [said(Role::User, question), said(Role::Assistant, &answer.text)];
        self.turns.extend(turns);
        Ok(answer)
    }

    /// Continues a prompt of these ids, which need not be a conversation.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn continue_ids(&mut self, ids: &[u32], observer: &mut dyn Observer) -> Result<TextAnswer> {
        let started = Instant::now();
        let Self { model, settings, rope, held, cache, .. } = self;
        let answer_tokens = settings.generation.max_new_tokens;
        check_window(model, ids.len() + answer_tokens)?;
        let cache = match cache {
            Some(cache) => cache,
            None => {
                let room = ids.len() + answer_tokens + settings.engine.spare_tokens;
                let (shape, dtype) = (model.decoder().kv_shape(), settings.kv_dtype(model.info()));
                cache.insert(KvCache::new(shape, room, dtype, model.device())?)
            }
        };
        let common = held.iter().zip(ids).take_while(|(a, b)| a == b).count();
        let reused = common.min(ids.len().saturating_sub(1)); // one is left, whose hidden state gives the next logits
        held.truncate(reused);
        cache.truncate(reused);
        cache.ensure_room(ids.len() - reused + answer_tokens)?;
        let rope = (&*rope, Positions::Sequential);
        let mut prefill = Prefill::new(model, rope, cache, settings.engine.chunk_tokens);
        for chunk in ids[reused..].chunks(settings.engine.chunk_tokens) {
            prefill.push(model.decoder().embed(chunk)?)?;
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
        let hidden =
            prefill.flush()?.ok_or_else(|| ModelError::Argument("an empty prompt has no answer".into()))?;
        held.extend(&ids[reused..]);
        let logits = model.decoder().last_logits(&hidden)?;
        let prefill_secs = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let prompt = Continuation { model, rope, cache, probe: None };
        let generation = generate(prompt, logits, &settings.generation, observer)?;
        held.extend(&generation.token_ids[..cache.tokens() - ids.len()]);
        let text = model.tokenizer().decode(&generation.token_ids)?.trim().to_owned();
        let receipt = TextReceipt {
            family: model.config().family.name().to_owned(),
            dtype: model.info().dtypes.text.as_str(),
            context: rope.0.method,
            prompt_tokens: ids.len(),
            reused_tokens: reused,
            prefill_secs,
            generate_secs: started.elapsed().as_secs_f64(),
        };
        Ok(TextAnswer { text, generation, receipt })
    }
}

/// Refuses what is longer than any text of training.
fn check_window(model: &Lmm, tokens: usize) -> Result<()> {
    match model.config().decoder.max_positions {
        window if tokens > window => Err(ModelError::Argument(format!(
            "the conversation and its answer take {tokens} tokens, more than the {window} that the model was trained on: start a new conversation, or allow a shorter answer"
        ))
        .into()),
        _ => Ok(()),
    }
}
