//! Embeddings into the KV cache, in chunks whose borders are the same in every run: multiples of the chunk size from
//! the prompt's start, one border at the end of the visual prefix, then multiples from there.

use crate::Result;
use longsight_method::{Positions, RopePlan};
use longsight_models::decoder::AttentionProbe;
use longsight_models::layers::Rotary;
use longsight_models::{KvCache, Lmm, Tensor};

/// Collects embeddings until a chunk is full and runs it; nothing else of the prompt is held.
pub struct Prefill<'a> {
    model: &'a Lmm,
    rope: (&'a RopePlan, Positions),
    cache: &'a mut KvCache,
    chunk_tokens: usize,
    waiting: Vec<Tensor>,
    waiting_tokens: usize,
    hidden: Option<Tensor>,
    probe: Option<&'a mut AttentionProbe>,
}

impl<'a> Prefill<'a> {
    /// Continues behind the tokens that `cache` holds.
    pub fn new(
        model: &'a Lmm,
        rope: (&'a RopePlan, Positions),
        cache: &'a mut KvCache,
        chunk_tokens: usize,
    ) -> Self {
        Self {
            model,
            rope,
            cache,
            chunk_tokens,
            waiting: Vec::new(),
            waiting_tokens: 0,
            hidden: None,
            probe: None,
        }
    }

    /// Lets `probe` watch the last token of every chunk.
    pub(crate) fn watched_by(self, probe: Option<&'a mut AttentionProbe>) -> Self {
        Self { probe, ..self }
    }

    /// Adds embeddings `[tokens, hidden]`, and runs every chunk that is full.
    pub fn push(&mut self, embeddings: Tensor) -> Result<()> {
        self.waiting_tokens += embeddings.dim(0)?;
        self.waiting.push(embeddings);
        while self.waiting_tokens >= self.chunk_tokens {
            self.run(self.chunk_tokens)?;
        }
        Ok(())
    }

    /// Runs what waits, so that the next token begins a new chunk. Returns the hidden states of the last chunk.
    pub fn flush(&mut self) -> Result<Option<Tensor>> {
        if self.waiting_tokens > 0 {
            self.run(self.waiting_tokens)?;
        }
        Ok(self.hidden.take())
    }

    fn run(&mut self, tokens: usize) -> Result<()> {
        let all = match &self.waiting[..] {
            [one] => one.clone(),
            many => Tensor::cat(many, 0)?,
        };
        self.waiting.clear();
        let rest = self.waiting_tokens - tokens;
        if rest > 0 {
            // A copy of these rows: a view would keep the whole of `all` alive (and `copy` copies all of it).
            self.waiting.push(all.narrow(0, tokens, rest)?.force_contiguous()?);
        }
        self.waiting_tokens = rest;
        let chunk = all.narrow(0, 0, tokens)?;
        let rotary = next_rotary(self.rope, self.cache, tokens, self.model)?;
        self.hidden = None;
        let probe = self.probe.as_deref_mut();
        self.hidden = Some(self.model.decoder().forward_probed(&chunk, &rotary, self.cache, probe)?);
        Ok(())
    }
}

/// The rotary table of the next `tokens` slots of `cache`.
pub(crate) fn next_rotary(
    (rope, positions): (&RopePlan, Positions),
    cache: &KvCache,
    tokens: usize,
    model: &Lmm,
) -> Result<Rotary> {
    let slots = cache.tokens()..cache.tokens() + tokens;
    Ok(Rotary::new(rope, &positions.of(slots), model.device())?)
}
