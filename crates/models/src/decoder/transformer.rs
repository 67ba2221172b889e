//! The language decoder of Qwen2 and Llama: pre-norm blocks of grouped-query attention (queries, keys and values with or
//! without biases) and a SiLU-gated MLP.

use super::config::DecoderConfig;
use super::probe::AttentionProbe;
use crate::backend::Backend;
use crate::kv_cache::KvCache;
use crate::layers::{Linear, RmsNorm, Rotary};
use crate::weights::{Matrix, Weights};
use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
use longsight_method::KvShape;

/// The decoder.
pub struct Decoder {
    config: DecoderConfig,
    embeddings: Matrix,
    layers: Vec<Block>,
    norm: RmsNorm,
    head: Linear,
    vocabulary: usize,
    device: Device,
    backend: Backend,
}

struct Block {
    norm1: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    heads: (usize, usize, usize),
    backend: Backend,
}

impl Decoder {
    /// Loads the decoder below `text` and the output head below `head` (of the same checkpoint).
    pub fn load(text: &Weights<'_>, head: &Weights<'_>, config: &DecoderConfig) -> Result<Self> {
        // Rows are taken from the file: published files pad the vocabulary.
        let vocabulary = text.rows("embed_tokens.weight", config.hidden)?;
        let embeddings = text.matrix("embed_tokens.weight", vocabulary, config.hidden)?;
        let layers = (0..config.layers)
            .map(|i| Block::load(&text.below(format!("layers.{i}")), config))
            .collect::<Result<_>>()?;
        let head = if config.tied_head {
            Linear::new(embeddings.clone(), None, text.backend())
        } else {
            Linear::load(head, config.hidden, vocabulary, false)?
        };
        let norm = RmsNorm::load(&text.below("norm"), config.hidden, config.eps)?;
        Ok(Self {
            config: config.clone(),
            embeddings,
            layers,
            norm,
            head,
            vocabulary,
            device: text.device().clone(),
            backend: text.backend(),
        })
    }

    /// Its shape.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// The shape of a cache for this decoder.
    pub fn kv_shape(&self) -> KvShape {
        self.config.kv_shape()
    }

    /// Embeddings `[ids, hidden]` of token ids.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        if let Some(bad) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            return Err(ModelError::Tokenizer(format!(
                "token {bad} is outside the model's vocabulary of {}; does tokenizer.json belong to these weights?",
                self.vocabulary
            )));
        }
        Ok(self.embeddings.select(ids, &self.device)?)
    }

    /// Runs `x` `[tokens, hidden]`, the embeddings of the tokens that follow those in `cache`, through all layers and
    /// appends them to it. `rotary` holds exactly these tokens' positions. Returns hidden states `[tokens, hidden]`.
    pub fn forward(&self, x: &Tensor, rotary: &Rotary, cache: &mut KvCache) -> Result<Tensor> {
        self.forward_probed(x, rotary, cache, None)
    }

    /// As [`Self::forward`], with `probe` watching the last token.
    pub fn forward_probed(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        cache: &mut KvCache,
        probe: Option<&mut AttentionProbe>,
    ) -> Result<Tensor> {
        self.backend.on_pool(|| self.through_layers(x, rotary, cache, probe))
    }

    fn through_layers(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        cache: &mut KvCache,
        mut probe: Option<&mut AttentionProbe>,
    ) -> Result<Tensor> {
        let tokens = x.dim(0)?;
        if tokens == 0 {
            return Err(ModelError::Argument("a forward pass needs at least one token".into()));
        }
        cache.ensure_room(tokens)?;
        let mut x = x.clone();
        for (i, block) in self.layers.iter().enumerate() {
            let (next, queries) = block.forward(&x, rotary, cache, i)?;
            if let Some(probe) = probe.as_deref_mut() {
                probe.observe(i, &queries, cache, self.backend)?;
            }
            x = next;
        }
        cache.advance(tokens);
        Ok(x)
    }

    /// Logits `[tokens, vocabulary]` of hidden states `[tokens, hidden]`, in the activations' dtype.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(self.backend.on_pool(|| self.head.forward(&self.norm.forward(hidden)?))?)
    }

    /// Logits `[vocabulary]` of the last of the hidden states `[tokens, hidden]`, as f32.
    ///
    /// # Errors
    /// No hidden states, or logits that are no numbers: damaged weights, or an overflow.
    pub fn last_logits(&self, hidden: &Tensor) -> Result<Vec<f32>> {
        let Some(last) = hidden.dim(0)?.checked_sub(1) else {
            return Err(ModelError::Argument("logits need at least one token".into()));
        };
        let logits = self.logits(&hidden.narrow(0, last, 1)?)?;
        let logits: Vec<f32> = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        match logits.iter().all(|logit| logit.is_finite()) {
            true => Ok(logits),
            false => Err(ModelError::NotFinite),
        }
    }
}

impl Block {
    fn load(weights: &Weights<'_>, c: &DecoderConfig) -> Result<Self> {
        let attention = weights.below("self_attn");
        let mlp = weights.below("mlp");
        let (query_width, kv_width) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
        Ok(Self {
            norm1: RmsNorm::load(&weights.below("input_layernorm"), c.hidden, c.eps)?,
            query: Linear::load(&attention.below("q_proj"), c.hidden, query_width, c.qkv_bias)?,
            key: Linear::load(&attention.below("k_proj"), c.hidden, kv_width, c.qkv_bias)?,
            value: Linear::load(&attention.below("v_proj"), c.hidden, kv_width, c.qkv_bias)?,
            out: Linear::load(&attention.below("o_proj"), query_width, c.hidden, false)?,
            norm2: RmsNorm::load(&weights.below("post_attention_layernorm"), c.hidden, c.eps)?,
            gate: Linear::load(&mlp.below("gate_proj"), c.hidden, c.intermediate, false)?,
            up: Linear::load(&mlp.below("up_proj"), c.hidden, c.intermediate, false)?,
            down: Linear::load(&mlp.below("down_proj"), c.intermediate, c.hidden, false)?,
            heads: (c.heads, c.kv_heads, c.head_dim),
            backend: weights.backend(),
        })
    }

    /// The next hidden states, and the rotated queries `[tokens, heads, head_dim]` that attention was asked with.
    fn forward(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        cache: &mut KvCache,
        layer: usize,
    ) -> Result<(Tensor, Tensor)> {
        let (attended, queries) = self.attend(&self.norm1.forward(x)?, rotary, cache, layer)?;
        let x = (x + self.out.forward(&attended)?)?;
        let normed = self.norm2.forward(&x)?;
        let hidden = self.backend.silu_mul(self.gate.forward(&normed)?, &self.up.forward(&normed)?)?;
        Ok(((&x + self.down.forward(&hidden)?)?, queries))
    }

    fn attend(
        &self,
        x: &Tensor,
        rotary: &Rotary,
        cache: &mut KvCache,
        layer: usize,
    ) -> Result<(Tensor, Tensor)> {
        let (heads, kv_heads, head_dim) = self.heads;
        let tokens = x.dim(0)?;
        let rotate = |x: Tensor, heads| rotary.rotate(x.reshape((tokens, heads, head_dim))?, self.backend);
        let queries = rotate(self.query.forward(x)?, heads)?;
        let keys = rotate(self.key.forward(x)?, kv_heads)?;
        let values = self.value.forward(x)?.reshape((tokens, kv_heads, head_dim))?;
        cache.append(layer, &keys, &values)?;
        Ok((cache.attend(layer, &queries.unsqueeze(0)?, self.backend)?.squeeze(0)?, queries))
    }
}

#[cfg(test)]
#[path = "gradients.rs"]
mod gradients;
