//! Bytes and floating-point operations of a run, before anything is loaded or decoded. Counts follow from
//! the shapes alone; a multiply-add is two operations.

use serde::{Deserialize, Serialize};

/// Dimensions of a KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvShape {
    /// Decoder layers.
    pub layers: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
}

impl KvShape {
    /// Bytes of the keys and values of `tokens` tokens: `value_bytes` for each number (4 for f32, 2 for bf16, 1 for 8
    /// bits) and `scale_bytes` for each head's key and value (0 where there is no scale). Saturates.
    pub fn bytes(&self, tokens: usize, value_bytes: usize, scale_bytes: usize) -> u64 {
        let row_bytes = self.head_dim.saturating_mul(value_bytes).saturating_add(scale_bytes);
        [self.layers, self.kv_heads, row_bytes, tokens]
            .into_iter()
            .fold(2, |bytes: u64, factor| bytes.saturating_mul(factor as u64))
    }
}

/// The shape of a vision tower with its merger, for one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TowerShape {
    /// Encoder layers that are run.
    pub layers: usize,
    /// Channels of a patch.
    pub width: usize,
    /// Channels inside the MLP.
    pub mlp: usize,
    /// Patches a unit.
    pub patches: usize,
    /// Numbers a unit goes in with: pixels x channels.
    pub pixel_values: usize,
    /// Visual tokens a unit comes out with, before pooling.
    pub merged_tokens: usize,
    /// Multiply-adds of the merger for a unit.
    pub merger_multiply_adds: u64,
}

/// The shape of a whole checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelShape {
    /// Layers, key heads and channels of a head.
    pub kv: KvShape,
    /// Channels of a token.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Channels inside the gated MLP.
    pub mlp: usize,
    /// Rows of the output head.
    pub vocab: usize,
    /// The vision tower; all zeros where there is none.
    pub tower: TowerShape,
    /// Bytes of all weights, as measured from the checkpoint and the chosen dtype.
    pub weights_bytes: u64,
}

/// Floating-point operations by stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Flops {
    /// Vision tower and merger, all units.
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
    /// Operations to encode `units` units and prefill a prompt of `tokens` tokens.
    pub fn flops(&self, units: usize, tokens: usize) -> Flops {
        let KvShape { layers, kv_heads, head_dim } = self.kv;
        let [layers, kv_heads, head_dim] = [layers, kv_heads, head_dim].map(|n| n as f64);
        let [hidden, heads, mlp, vocab] = [self.hidden, self.heads, self.mlp, self.vocab].map(|n| n as f64);
        let (query, key_value) = (heads * head_dim, 2.0 * kv_heads * head_dim);
        let tokens = tokens as f64;
        let weights_per_layer = hidden * (query + key_value) + query * hidden + 3.0 * hidden * mlp;
        // Position p attends to p + 1 keys: scores and weighted sum, one multiply-add a channel each.
        let attended = tokens * (tokens + 1.0) / 2.0;
        Flops {
            tower: units as f64 * self.tower.flops_per_unit(),
            prefill_matmul: 2.0 * (tokens * layers * weights_per_layer + hidden * vocab),
            prefill_attention: 4.0 * layers * query * attended,
        }
    }
}

impl TowerShape {
    fn flops_per_unit(&self) -> f64 {
        let [layers, width, mlp, patches] =
            [self.layers, self.width, self.mlp, self.patches].map(|n| n as f64);
        let embed = self.pixel_values as f64 * width;
        let matmul = layers * patches * (4.0 * width * width + 2.0 * width * mlp);
        let attention = layers * 2.0 * patches * patches * width;
        2.0 * (embed + matmul + attention + self.merger_multiply_adds as f64)
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
