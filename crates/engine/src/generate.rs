//! Token by token from the first logits to the end of the answer.

use crate::observer::Observer;
use crate::prefill::next_rotary;
use crate::sampler::Sampler;
use crate::settings::{GenerationSettings, LogprobCount};
use crate::{EngineError, Result};
use longsight_method::{Positions, RopePlan};
use longsight_models::decoder::AttentionProbe;
use longsight_models::processor::TextTokenizer;
use longsight_models::{KvCache, Lmm};
use serde::Serialize;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model ended it.
    EndToken,
    /// `max_new_tokens` were made.
    MaxNewTokens,
}

/// A token with its log-probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLogprob {
    /// Id.
    pub id: u32,
    /// As it is spelt.
    pub token: String,
    /// Natural logarithm of its probability over all rows of the head, at temperature 1.
    pub logprob: f64,
}

/// The tokens of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generation {
    /// Ids, without the end token unless it was to be ignored.
    pub token_ids: Vec<u32>,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// The first token's alternatives, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_logprobs: Option<Vec<TokenLogprob>>,
}

/// A prompt in a KV cache, to be continued.
pub struct Continuation<'a> {
    /// The model.
    pub model: &'a Lmm,
    /// The positions' frequencies, and where slots stand.
    pub rope: (&'a RopePlan, Positions),
    /// The prompt's keys and values; the answer's are appended, but for its last token.
    pub cache: &'a mut KvCache,
    /// Watches the attention of each token that is fed back.
    pub probe: Option<&'a mut AttentionProbe>,
}

/// Makes an answer behind the tokens in the cache, starting from `logits`. The last token is not fed back.
pub fn generate(
    prompt: Continuation<'_>,
    mut logits: Vec<f32>,
    settings: &GenerationSettings,
    observer: &mut dyn Observer,
) -> Result<Generation> {
    let Continuation { model, rope, cache, mut probe } = prompt;
    let tokenizer = model.tokenizer();
    let mut sampler = Sampler::new(settings, tokenizer.vocabulary());
    let mut stream = TextStream::default();
    let first_token_logprobs = settings.logprobs.map(|count| logprobs(&logits, count, tokenizer));
    let mut token_ids = Vec::new();
    let stop_reason = loop {
        if observer.stop() {
            return Err(EngineError::Stopped);
        }
        let token = sampler.choose(&logits, &token_ids);
        if !settings.ignore_eos && tokenizer.stop_ids().contains(&token) {
            break StopReason::EndToken;
        }
        token_ids.push(token);
        if let Some(piece) = stream.push(&token_ids, tokenizer)? {
            observer.text(&piece);
        }
        if token_ids.len() == settings.max_new_tokens {
            break StopReason::MaxNewTokens;
        }
        let rotary = next_rotary(rope, cache, 1, model)?;
        let embedding = model.decoder().embed(&[token])?;
        let hidden = model.decoder().forward_probed(&embedding, &rotary, cache, probe.as_deref_mut())?;
        logits = model.decoder().last_logits(&hidden)?;
    };
    if let Some(rest) = stream.finish(&token_ids, tokenizer)? {
        observer.text(&rest);
    }
    Ok(Generation { token_ids, stop_reason, first_token_logprobs })
}

/// The most probable token, and the log-probability of `token`.
pub(crate) fn token_logprob(logits: &[f32], token: u32) -> (u32, f64) {
    let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a))).unwrap_or(0);
    let logit = logits.get(token as usize).map_or(f64::NEG_INFINITY, |l| f64::from(*l));
    (best as u32, logit - log_sum_exp(logits))
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
    f64::from(max) + sum.ln()
}

fn logprobs(logits: &[f32], count: LogprobCount, tokenizer: &TextTokenizer) -> Vec<TokenLogprob> {
    let log_sum = log_sum_exp(logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    if let LogprobCount::Top(n) = count {
        order.truncate(n);
    }
    let entry = |id: usize| TokenLogprob {
        id: id as u32,
        token: tokenizer.token(id as u32),
        logprob: f64::from(logits[id]) - log_sum,
    };
    order.into_iter().map(entry).collect()
}

/// Turns growing ids into growing text: a character whose bytes are spread over tokens waits for the last of them.
#[derive(Default)]
struct TextStream {
    /// Ids before this are settled; one step of context behind it keeps spaces right.
    context: usize,
    settled: usize,
}

impl TextStream {
    fn push(&mut self, ids: &[u32], tokenizer: &TextTokenizer) -> Result<Option<String>> {
        let piece = self.new_text(ids, tokenizer)?;
        if piece.is_empty() || piece.ends_with('\u{fffd}') {
            return Ok(None);
        }
        self.context = self.settled;
        self.settled = ids.len();
        Ok(Some(piece))
    }

    /// What is left when no token follows, incomplete characters included.
    fn finish(&mut self, ids: &[u32], tokenizer: &TextTokenizer) -> Result<Option<String>> {
        Ok(Some(self.new_text(ids, tokenizer)?).filter(|piece| !piece.is_empty()))
    }

    fn new_text(&self, ids: &[u32], tokenizer: &TextTokenizer) -> Result<String> {
        let before = tokenizer.decode(&ids[self.context..self.settled])?;
        let all = tokenizer.decode(&ids[self.context..])?;
        Ok(all.strip_prefix(&before).unwrap_or(&all).to_owned())
    }
}
