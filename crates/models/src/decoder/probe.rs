use super::config::DecoderConfig;
use crate::backend::{Backend, MassQuery};
use crate::{KvCache, ModelError, Result};
use candle_core::Tensor;
use std::ops::Range;

/// Watches where the attention of single tokens goes: of every forward pass the last token, in chosen heads, as sums over
/// runs of positions. Nothing that a model computes is changed.
#[derive(Debug, Clone)]
pub struct AttentionProbe {
    /// Chosen query heads, by layer.
    heads: Vec<Vec<usize>>,
    spans: Vec<Range<usize>>,
    /// Sums over the passes: `[chosen heads, spans]`, in the order of layers, then as chosen.
    mass: Vec<f64>,
    passes: usize,
}

impl AttentionProbe {
    /// Watches `heads` (pairs of layer and query head) of a decoder, over `spans` of positions.
    ///
    /// # Errors
    /// A head that the decoder does not have.
    pub fn new(decoder: &DecoderConfig, heads: &[(usize, usize)], spans: Vec<Range<usize>>) -> Result<Self> {
        let mut by_layer = vec![Vec::new(); decoder.layers];
        for (layer, head) in heads {
            match by_layer.get_mut(*layer).filter(|_| *head < decoder.heads) {
                Some(chosen) => chosen.push(*head),
                None => {
                    return Err(ModelError::Argument(format!(
                        "no head {head} in layer {layer}: the model has {} layers of {} heads",
                        decoder.layers, decoder.heads
                    )));
                }
            }
        }
        let mass = vec![0.0; heads.len() * spans.len()];
        Ok(Self { heads: by_layer, spans, mass, passes: 0 })
    }

    /// The heads that are watched, in the order of [`Self::mean_mass`].
    pub fn heads(&self) -> Vec<(usize, usize)> {
        let layers = self.heads.iter().enumerate();
        layers.flat_map(|(layer, heads)| heads.iter().map(move |head| (layer, *head))).collect()
    }

    /// The mean over all passes seen so far: `[heads, spans]`, zero before the first.
    pub fn mean_mass(&self) -> Vec<f64> {
        self.mass.iter().map(|mass| mass / self.passes.max(1) as f64).collect()
    }

    /// Adds the attention of the last of `queries` `[tokens, heads, head_dim]`, whose keys `cache` holds already behind
    /// those it counts.
    pub(super) fn observe(
        &mut self,
        layer: usize,
        queries: &Tensor,
        cache: &KvCache,
        backend: Backend,
    ) -> Result<()> {
        let chosen = self.heads.get(layer).map(Vec::as_slice).unwrap_or_default();
        if layer == 0 {
            self.passes += 1;
        }
        let Some(last) = queries.dim(0)?.checked_sub(1).filter(|_| !chosen.is_empty()) else { return Ok(()) };
        let ask = MassQuery {
            query: &queries.get(last)?,
            key_tokens: cache.tokens() + last + 1,
            chosen_heads: chosen,
            spans: &self.spans,
        };
        if let Some(span) = self.spans.iter().find(|span| span.end > ask.key_tokens) {
            return Err(ModelError::Argument(format!("positions {span:?} are not in the cache yet")));
        }
        let before: usize = self.heads[..layer].iter().map(Vec::len).sum();
        let masses = cache.attention_mass(layer, &ask, backend)?;
        let sums = self.mass.iter_mut().skip(before * self.spans.len());
        sums.zip(masses).for_each(|(sum, mass)| *sum += f64::from(mass));
        Ok(())
    }
}
