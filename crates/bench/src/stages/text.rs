//! The language model: prompts into the cache, then tokens out of it.

use super::{Rate, Stage, StagesArgs};
use crate::inputs::token_ids;
use anyhow::{Context, Result};
use longsight_engine::generate::{Continuation, generate};
use longsight_engine::prefill::Prefill;
use longsight_engine::{EngineSettings, GenerationSettings, Silent};
use longsight_method::{Positions, RopePlan, RopeSettings};
use longsight_models::{KvCache, KvDtype, Lmm};
use std::time::Instant;

/// A model with a cache that takes `tokens` and what is decoded behind them.
struct Run<'a> {
    model: &'a Lmm,
    rope: RopePlan,
    cache: KvCache,
    ids: Vec<u32>,
    new_tokens: usize,
    /// Most probable behind the prompt, once that was prefilled.
    next_token: Option<u32>,
}

/// Prefill and decoding at every size asked for, smallest first. A context that is also a length is prefilled once.
pub(super) fn rates(model: &Lmm, settings: &StagesArgs) -> Result<Vec<Rate>> {
    let (prefill, decode) = (settings.has(Stage::Prefill), settings.has(Stage::Decode));
    let lengths = if prefill { settings.lengths.as_slice() } else { &[] };
    let contexts = if decode { settings.contexts.as_slice() } else { &[] };
    let mut sizes: Vec<usize> = lengths.iter().chain(contexts).copied().collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut rates = Vec::new();
    for size in sizes {
        let mut run = Run::new(model, size.max(1), settings.new_tokens.into())?;
        run.warm_up()?;
        if lengths.contains(&size) {
            let per_sec = (0..settings.repeats).map(|_| run.prefill()).collect::<Result<_>>()?;
            rates.push(Rate { stage: Stage::Prefill, size, per_sec, next_token: run.next_token });
        }
        if contexts.contains(&size) {
            if !lengths.contains(&size) {
                run.prefill()?;
            }
            let per_sec = (0..settings.repeats).map(|_| run.decode()).collect::<Result<_>>()?;
            rates.push(Rate { stage: Stage::Decode, size, per_sec, next_token: None });
        }
    }
    Ok(rates)
}

impl<'a> Run<'a> {
    fn new(model: &'a Lmm, tokens: usize, new_tokens: usize) -> Result<Self> {
        let rope = RopePlan::new(&RopeSettings::default(), &model.config().rope_shape(None, None), tokens)?;
        let capacity = tokens + new_tokens;
        let cache = KvCache::new(
            model.decoder().kv_shape(),
            capacity,
            KvDtype::of_weights(model.dtype()),
            model.device(),
        )?;
        let ids = token_ids(tokens, model.info().vocabulary);
        Ok(Self { model, rope, cache, ids, new_tokens, next_token: None })
    }

    /// Threads and memory are there before the clock starts.
    fn warm_up(&mut self) -> Result<()> {
        let few = self.ids.len().min(16);
        self.logits_after(few).map(drop)
    }

    /// Tokens a second of the whole prompt into the empty cache, with the logits behind its last token.
    fn prefill(&mut self) -> Result<f64> {
        let started = Instant::now();
        let logits = self.logits_after(self.ids.len())?;
        let per_sec = self.ids.len() as f64 / started.elapsed().as_secs_f64();
        self.next_token = (0u32..).zip(logits).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(token, _)| token);
        Ok(per_sec)
    }

    /// Tokens a second of decoding behind the prompt. The last token of an answer is not run, so one more is asked for.
    fn decode(&mut self) -> Result<f64> {
        let tokens = self.ids.len();
        self.cache.truncate(tokens);
        let settings = GenerationSettings {
            max_new_tokens: self.new_tokens + 1,
            ignore_eos: true,
            ..GenerationSettings::default()
        };
        let logits = vec![0.0; self.model.info().vocabulary];
        let started = Instant::now();
        let prompt = Continuation {
            model: self.model,
            rope: (&self.rope, Positions::default()),
            cache: &mut self.cache,
            probe: None,
        };
        generate(prompt, logits, &settings, &mut Silent)?;
        Ok((self.cache.tokens() - tokens) as f64 / started.elapsed().as_secs_f64())
    }

    /// The logits behind the first `tokens` ids, in the engine's chunks.
    fn logits_after(&mut self, tokens: usize) -> Result<Vec<f32>> {
        self.cache.truncate(0);
        let chunk_tokens = EngineSettings::default().chunk_tokens;
        let text = self.model.decoder();
        let mut prefill =
            Prefill::new(self.model, (&self.rope, Positions::default()), &mut self.cache, chunk_tokens);
        for ids in self.ids[..tokens].chunks(chunk_tokens) {
            prefill.push(text.embed(ids)?)?;
        }
        // A chunk that is full has run already; the last one's states are what flush returns.
        let hidden = prefill.flush()?.context("nothing was prefilled")?;
        Ok(text.last_logits(&hidden)?)
    }
}
