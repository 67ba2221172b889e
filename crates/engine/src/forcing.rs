//! Teacher forcing of text: what a language model predicts at each token of a text that is given.

use crate::Result;
use crate::generate::token_logprob;
use crate::prefill::Prefill;
use longsight_method::{ContextMethod, Positions, RopePlan, RopeSettings};
use longsight_models::{KvCache, KvDtype, Lmm, ModelError};
use serde::Serialize;
use std::ops::Range;

/// How well a text is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Perplexity {
    /// Tokens of a window.
    pub window_tokens: usize,
    /// Tokens that count.
    pub counted_tokens: usize,
    /// The mean of their negative log-likelihoods (natural logarithm).
    pub mean_nll: f64,
    /// Its exponential.
    pub perplexity: f64,
}

/// The perplexity of `ids`, as llama.cpp's `perplexity` measures it: the text is cut into windows of `window_tokens` without
/// overlap, a rest is left out, each window is read by itself, and the tokens of its second half count, but for the first
/// of them.
///
/// # Errors
/// A text shorter than a window, or a window of fewer than 4 tokens.
pub fn perplexity(model: &Lmm, ids: &[u32], window_tokens: usize) -> Result<Perplexity> {
    if window_tokens < 4 || ids.len() < window_tokens {
        let have = ids.len();
        return Err(ModelError::Argument(format!(
            "perplexity needs windows of at least 4 tokens and a text of at least one: {have} tokens, windows of {window_tokens}"
        ))
        .into());
    }
    let (mut counted, mut sum) = (0, 0.0);
    for window in ids.chunks_exact(window_tokens) {
        forced_logits(model, window, window_tokens / 2..window_tokens - 1, &mut |at, logits| {
            counted += 1;
            sum -= token_logprob(logits, window[at + 1]).1;
        })?;
    }
    let mean_nll = sum / counted as f64;
    Ok(Perplexity { window_tokens, counted_tokens: counted, mean_nll, perplexity: mean_nll.exp() })
}

/// Calls `visit` with each position of `at` and the logits of the token after it, `ids` read from their beginning in one
/// pass, without context extension.
///
/// # Errors
/// What the decoder says.
pub fn forced_logits(
    model: &Lmm,
    ids: &[u32],
    at: Range<usize>,
    visit: &mut dyn FnMut(usize, &[f32]),
) -> Result<()> {
    let decoder = model.decoder();
    let settings = RopeSettings { method: ContextMethod::None, ..RopeSettings::default() };
    let rope = RopePlan::new(&settings, &model.config().rope_shape(None, None), 0)?;
    let dtype = KvDtype::of_weights(model.dtype());
    let mut cache = KvCache::new(decoder.kv_shape(), ids.len(), dtype, model.device())?;
    let mut prefill = Prefill::new(model, (&rope, Positions::Sequential), &mut cache, ids.len());
    prefill.push(decoder.embed(ids)?)?;
    let Some(hidden) = prefill.flush()? else { return Ok(()) };
    for position in at {
        visit(position, &decoder.last_logits(&hidden.narrow(0, position, 1)?)?);
    }
    Ok(())
}
