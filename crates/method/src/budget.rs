//! Bytes and floating-point operations of a run, before anything is loaded or decoded. Counts follow from
//! the shapes alone; a multiply-add is two operations.

use serde::{Deserialize, Serialize};

/// The vision tower's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TowerShape {
    /// Encoder layers that are run.
    pub layers: usize,
    /// Channels of a patch.
    pub width: usize,
    /// Channels inside the MLP.
    pub mlp: usize,
    /// Attention heads.
    pub heads: usize,
    /// Patches a frame.
    pub patches: usize,
    /// Pixels a side of a frame.
    pub image_side: usize,
}

/// The shape of a whole checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelShape {
    /// Decoder layers.
    pub layers: usize,
    /// Channels of a token.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Channels inside the gated MLP.
    pub mlp: usize,
    /// Rows of the output head.
    pub vocab: usize,
    /// The vision tower.
    pub tower: TowerShape,
    /// Bytes of all weights, as measured from the checkpoint and the chosen dtype.
    pub weights_bytes: u64,
}

/// What the engine was set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineShape {
    /// Bytes of one number in the KV cache (4 for f32, 2 for bf16, 1 for 8 bits).
    pub kv_bytes_per_value: usize,
    /// Bytes of the scale of one head's key or value of one token in the KV cache (0 where there is none).
    pub kv_bytes_per_scale: usize,
    /// Positions in a prefill chunk.
    pub chunk_tokens: usize,
    /// Frames in one pass of the vision tower.
    pub encode_batch_frames: usize,
    /// Worker threads.
    pub threads: usize,
}

/// Floating-point operations by stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Flops {
    /// Vision tower and projector, all frames.
    pub tower: f64,
    /// Matrix products of the decoder's prefill, and of the output head at the last position.
    pub prefill_matmul: f64,
    /// Causal attention of the decoder's prefill; grows with the square of the tokens.
    pub prefill_attention: f64,
}

impl Flops {
    /// All stages together.
    pub fn total(&self) -> f64 {
        self.tower + self.prefill_matmul + self.prefill_attention
    }
}

impl ModelShape {
    /// Bytes of keys and values for `tokens` positions over all layers; saturates.
    pub fn kv_cache_bytes(&self, tokens: usize, engine: &EngineShape) -> u64 {
        let row_bytes =
            self.head_dim.saturating_mul(engine.kv_bytes_per_value).saturating_add(engine.kv_bytes_per_scale);
        [self.layers, self.kv_heads, row_bytes, tokens]
            .into_iter()
            .fold(2, |bytes: u64, factor| bytes.saturating_mul(factor as u64))
    }

    /// Operations to encode `frames` frames and prefill a prompt of `tokens` positions.
    pub fn flops(&self, frames: usize, tokens: usize) -> Flops {
        let [layers, hidden, mlp, vocab] = [self.layers, self.hidden, self.mlp, self.vocab].map(|n| n as f64);
        let [heads, kv_heads, head_dim] = [self.heads, self.kv_heads, self.head_dim].map(|n| n as f64);
        let (query, key_value) = (heads * head_dim, 2.0 * kv_heads * head_dim);
        let tokens = tokens as f64;
        let weights_per_layer = hidden * (query + key_value) + query * hidden + 3.0 * hidden * mlp;
        // Position p attends to p + 1 keys: scores and weighted sum, one multiply-add a channel each.
        let attended = tokens * (tokens + 1.0) / 2.0;
        Flops {
            tower: frames as f64 * self.flops_per_frame(),
            prefill_matmul: 2.0 * (tokens * layers * weights_per_layer + hidden * vocab),
            prefill_attention: 4.0 * layers * query * attended,
        }
    }

    fn flops_per_frame(&self) -> f64 {
        let tower = &self.tower;
        let [layers, width, mlp, patches] =
            [tower.layers, tower.width, tower.mlp, tower.patches].map(|n| n as f64);
        let hidden = self.hidden as f64;
        let patch_side = (tower.image_side / tower.patches.isqrt().max(1)) as f64;
        let embed = patches * 3.0 * patch_side * patch_side * width;
        let matmul = layers * patches * (4.0 * width * width + 2.0 * width * mlp);
        let attention = layers * 2.0 * patches * patches * width;
        let projector = patches * (width * hidden + hidden * hidden);
        2.0 * (embed + matmul + attention + projector)
    }
}

/// The largest n in `1..=max` with `fits(n)`, by bisection; none if not even 1 fits. `fits` must be monotone:
/// what fits n fits everything below n.
pub fn largest_fitting(max: usize, mut fits: impl FnMut(usize) -> bool) -> Option<usize> {
    // Invariant: `fitting` fits (0 stands for nothing), and nothing above `highest` does.
    let (mut fitting, mut highest) = (0, max);
    while fitting < highest {
        let middle = highest - (highest - fitting) / 2;
        if fits(middle) {
            fitting = middle;
        } else {
            highest = middle - 1;
        }
    }
    (fitting > 0).then_some(fitting)
}
