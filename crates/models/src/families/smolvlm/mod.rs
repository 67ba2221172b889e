//! SmolVLM2: SigLIP with its last norm, pixel shuffle and one linear layer, a Llama decoder.

mod config;
mod words;

pub(super) use config::read;

use crate::family::{Family, Shown, VisualText};
use crate::processor::{Conversation, PLACEHOLDER, Role};
use crate::weights::Spelling;
use words::{clock, duration, number};

/// What [`read`] reads, for messages.
pub(super) const MODEL_TYPES: &str = "smolvlm (SmolVLM2)";

/// Before a frame's tokens, and after them.
const FRAME_BEGIN: &str = "<fake_token_around_image><global-img>";
const FRAME_END: &str = "<fake_token_around_image>";

/// transformers 4 and 5 spell them alike; in memory they have the same names.
const SPELLINGS: &[Spelling] = &[
    Spelling { part: "text.", witness: "embed_tokens.weight", on_disk: &["model.text_model."] },
    Spelling { part: "head.", witness: "weight", on_disk: &["lm_head."] },
    Spelling {
        part: "vision.",
        witness: "embeddings.patch_embedding.weight",
        on_disk: &["model.vision_model."],
    },
    Spelling { part: "merger.", witness: "weight", on_disk: &["model.connector.modality_projection.proj."] },
];

/// The family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmolVlm;

impl Family for SmolVlm {
    fn name(&self) -> &str {
        "SmolVLM2"
    }

    fn spellings(&self) -> &'static [Spelling] {
        SPELLINGS
    }

    fn end_of_turn(&self) -> &'static str {
        "<end_of_utterance>"
    }

    /// As transformers' `SmolVLMProcessor` renders a conversation that holds a video, whatever the checkpoint's template
    /// says; for still images, as the published chat templates do.
    fn render(&self, conversation: &Conversation<'_>) -> String {
        let turn = |role: &str, content: &str| format!("{role}: {content}<end_of_utterance>\n");
        let system = conversation.system.map(|content| turn("System", content));
        let mut text = format!("<|im_start|>{}", system.unwrap_or_default());
        for (i, said) in conversation.turns.iter().enumerate() {
            let role = match said.role {
                Role::User => "User",
                Role::Assistant => "Assistant",
            };
            text.push_str(&match i {
                // No space before an image that a turn begins with.
                0 if conversation.frames_inline => {
                    format!("{role}:{PLACEHOLDER}{}<end_of_utterance>\n", said.content)
                }
                0 => turn(role, &format!("{PLACEHOLDER}{}", said.content)),
                _ => turn(role, &said.content),
            });
        }
        text.push_str("Assistant:");
        text
    }

    fn text(&self, shown: &Shown<'_>) -> VisualText {
        match shown {
            Shown::Video { duration_secs, times_secs } => VisualText {
                intro: format!(
                    "You are provided the following series of {} frames from a {} [H:MM:SS] video.\n",
                    number(times_secs.len()),
                    duration(*duration_secs)
                ),
                units: times_secs
                    .iter()
                    .map(|secs| {
                        (format!("\nFrame from {}:{FRAME_BEGIN}", clock(*secs)), FRAME_END.to_owned())
                    })
                    .collect(),
                outro: "\n\n".into(),
                preamble: String::new(),
            },
            Shown::Stills(count) => VisualText {
                units: vec![(FRAME_BEGIN.to_owned(), FRAME_END.to_owned()); *count],
                ..VisualText::default()
            },
        }
    }
}
