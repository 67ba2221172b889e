//! What a model family adds to the shared parts: words around the frames, a chat template, spellings of tensors.

use crate::processor::Conversation;
use crate::weights::Spelling;
use longsight_method::Positions;
use std::fmt::Debug;

/// A model family. Pure: it sees no tensors and computes nothing that a layer could; sizes and constants are in
/// [`ModelConfig`](crate::ModelConfig), which the family's folder fills from `config.json`.
pub trait Family: Debug + Send + Sync {
    /// Its published name; of a language model alone, the file's.
    fn name(&self) -> &str;

    /// How its checkpoints spell each canonical part of the model.
    fn spellings(&self) -> &'static [Spelling];

    /// A conversation in the form that the family was trained with, up to where the answer begins, with
    /// [`PLACEHOLDER`](crate::processor::PLACEHOLDER) where the units stand.
    fn render(&self, conversation: &Conversation<'_>) -> String;

    /// The token that ends a turn, and so an answer, whatever end-of-sequence ids the checkpoint's files name.
    fn end_of_turn(&self) -> &'static str;

    /// What the checkpoint's own chat template is taken to be where the checkpoint has none.
    fn usual_template(&self) -> Option<&'static str> {
        None
    }

    /// The text around and between the units.
    fn text(&self, shown: &Shown<'_>) -> VisualText;

    /// Where the prompt's slots stand on the rotary axis.
    fn positions(&self) -> Positions {
        Positions::Sequential
    }
}

/// What the text of a family may speak of.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// A video.
    Video {
        /// Seconds from its first to its last frame's end.
        duration_secs: f64,
        /// Presentation time of each unit.
        times_secs: &'a [f64],
    },
    /// This many still images, with a benchmark's text before each.
    Stills(usize),
}

/// A family's text around the units, special tokens included. In the prompt's order: `intro`, then for each unit what
/// stands before and after it, then `outro`, then what the template writes, then `preamble` and the question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VisualText {
    /// Before the first unit.
    pub intro: String,
    /// For each unit the text directly before and after it; empty where no unit has any.
    pub units: Vec<(String, String)>,
    /// After the last unit.
    pub outro: String,
    /// What the user's first turn says before the question.
    pub preamble: String,
}
