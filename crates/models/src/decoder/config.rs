use longsight_method::KvShape;

/// Shape of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// Width of an embedding.
    pub hidden: usize,
    /// Width of the MLP.
    pub intermediate: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head; not always hidden / heads.
    pub head_dim: usize,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// RoPE base.
    pub rope_theta: f64,
    /// The longest text of training, in tokens.
    pub max_positions: usize,
    /// Epsilon of the norms.
    pub eps: f64,
    /// Whether the output head is the embedding table.
    pub tied_head: bool,
}

impl DecoderConfig {
    /// The shape of a cache for this decoder.
    pub fn kv_shape(&self) -> KvShape {
        KvShape { layers: self.layers, kv_heads: self.kv_heads, head_dim: self.head_dim }
    }
}
