//! Where the slots of the prompt stand on the rotary axis.
//!
//! A *slot* is a place in the KV cache; a *position* is the number that RoPE turns by. Chunks, spans, and the cache count
//! slots; only the rotary tables see positions.

use std::ops::Range;

/// From slots to positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Positions {
    /// One axis that counts slots: position = slot, for text and visual tokens alike.
    #[default]
    Sequential,
}

impl Positions {
    /// The positions of consecutive slots. Slots after the prompt are those of the answer.
    pub fn of(self, slots: Range<usize>) -> Vec<usize> {
        match self {
            Self::Sequential => slots.collect(),
        }
    }
}
