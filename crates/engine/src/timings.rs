use serde::Serialize;

/// Seconds by stage.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Timings {
    /// Listing the video's packets.
    pub probe_secs: f64,
    /// Reading the index.
    pub index_secs: f64,
    /// Waiting for decoded frames.
    pub video_decode_secs: f64,
    /// Resizing (while earlier frames are encoded) and normalising.
    pub preprocess_secs: f64,
    /// Tower, projector, pooling.
    pub vision_secs: f64,
    /// Prompt through the language model.
    pub prefill_secs: f64,
    /// The neutral prompt that evidence is compared with.
    pub evidence_secs: f64,
    /// The answer's tokens.
    pub generate_secs: f64,
}
