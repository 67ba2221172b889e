use serde::Serialize;

/// What a run did with one kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexUse {
    /// Neither read nor written.
    #[default]
    Unused,
    /// Found, and used.
    Read,
    /// Made, and kept.
    Written,
}

/// The index in a receipt.
#[derive(Debug, Clone, Serialize)]
pub struct IndexReceipt {
    /// BLAKE3 of the video's bytes.
    pub video_digest: String,
    /// Pooled embeddings of the frames.
    pub embeddings: IndexUse,
    /// The visual prefix of the KV cache.
    pub kv_prefix: IndexUse,
}
