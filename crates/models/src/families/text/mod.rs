//! Language models alone, from a GGUF file: Llama's or Qwen2's decoder, no vision.

mod config;

pub(crate) use config::{check_same, read};

use crate::family::{Family, Shown, VisualText};
use crate::processor::Conversation;
use crate::weights::Spelling;

/// Names of a checkpoint's tensors, for errors: those of the Hugging Face layout.
pub(crate) const SPELLINGS: &[Spelling] = &[
    Spelling { part: "text.", witness: "embed_tokens.weight", on_disk: &["model."] },
    Spelling { part: "head.", witness: "weight", on_disk: &["lm_head."] },
];

/// The family: what the file calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextOnly {
    name: String,
}

impl Family for TextOnly {
    fn name(&self) -> &str {
        &self.name
    }

    fn spellings(&self) -> &'static [Spelling] {
        SPELLINGS
    }

    /// For files without a template: a line a turn.
    fn render(&self, conversation: &Conversation<'_>) -> String {
        let system = conversation.system.map(|content| format!("{content}\n")).unwrap_or_default();
        let turns = conversation.turns.iter();
        let turns: String = turns.map(|turn| format!("{}: {}\n", turn.role.name(), turn.content)).collect();
        format!("{system}{turns}assistant:")
    }

    /// The metadata name the ids.
    fn end_of_turn(&self) -> &'static str {
        ""
    }

    fn text(&self, _: &Shown<'_>) -> VisualText {
        VisualText::default()
    }
}
