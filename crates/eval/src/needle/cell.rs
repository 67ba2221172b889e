use serde::{Deserialize, Serialize};

/// One needle at one depth of one haystack: a line of `cells.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Frames of the haystack, without the needle.
    pub frames: usize,
    /// Depth in percent.
    pub depth_percent: u8,
    /// Which needle, from 0.
    pub needle: usize,
    /// The haystack frame that it stands before.
    pub at: usize,
    /// The right answer.
    pub answer: String,
    /// Whether the most probable token was the answer's at every place (teacher forcing).
    pub forced: bool,
    /// Natural logarithm of the answer's probability.
    pub logprob: f64,
    /// What the model said itself.
    pub response: Option<String>,
    /// Whether that is right.
    pub free_form_right: Option<bool>,
    /// Visual tokens in the prompt.
    pub visual_tokens: usize,
    /// s.
    pub scale: f64,
    /// Largest memory of the process so far, in bytes, the held frames included.
    pub peak_bytes: Option<u64>,
    /// Seconds of this cell, the frames' encoding not counted.
    pub secs: f64,
}

impl Cell {
    /// What it is the cell of.
    pub fn key(&self) -> (usize, u8, usize) {
        (self.frames, self.depth_percent, self.needle)
    }
}
