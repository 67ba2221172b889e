//! One canonical name for every tensor, and how the published layouts spell it.
//!
//! Canonical parts: `text` (embed_tokens, layers.N, norm), `head`, `vision` (embeddings, encoder, post_layernorm),
//! `projector.{0,1}`, `newline`. Each part is recognised by itself, so files that mix spellings load too.

use super::Checkpoint;

/// Where each canonical part lies in this checkpoint.
#[derive(Debug, Clone)]
pub struct NameMap {
    parts: Vec<(&'static str, &'static str)>,
}

/// Canonical prefix, a tensor that shows the part is there, and the spellings on disk
/// (lmms-lab, llava-hf on disk, in memory since transformers 4.52, and a doubled form that some tools write).
const SPELLINGS: &[(&str, &str, &[&str])] = &[
    (
        "text.",
        "embed_tokens.weight",
        &["model.", "language_model.model.", "model.language_model.", "model.language_model.model."],
    ),
    ("head.", "weight", &["lm_head.", "language_model.lm_head.", "model.language_model.lm_head."]),
    (
        "vision.",
        "embeddings.patch_embedding.weight",
        &[
            "model.vision_tower.vision_tower.vision_model.",
            "vision_tower.vision_model.",
            "model.vision_tower.vision_model.",
            "model.vision_tower.",
            "vision_tower.",
        ],
    ),
    (
        "projector.0.",
        "weight",
        &[
            "model.mm_projector.0.",
            "multi_modal_projector.linear_1.",
            "model.multi_modal_projector.linear_1.",
        ],
    ),
    (
        "projector.1.",
        "weight",
        &[
            "model.mm_projector.2.",
            "multi_modal_projector.linear_2.",
            "model.multi_modal_projector.linear_2.",
        ],
    ),
    ("newline", "", &["model.image_newline", "image_newline"]),
];

impl NameMap {
    /// Finds the spelling of every part; a part that is nowhere keeps the first spelling, so that the error which
    /// follows names a tensor.
    pub fn detect(checkpoint: &Checkpoint) -> Self {
        let find = |witness: &str, spellings: &[&'static str]| {
            let there = |s: &&&'static str| checkpoint.info(&format!("{s}{witness}")).is_some();
            spellings.iter().find(there).or(spellings.first()).copied().unwrap_or("")
        };
        Self {
            parts: SPELLINGS.iter().map(|(part, witness, on_disk)| (*part, find(witness, on_disk))).collect(),
        }
    }

    /// Whether a name on disk belongs to the language model. One part's prefix may begin another's: the longest counts.
    pub(super) fn is_language(&self, on_disk: &str) -> bool {
        let belongs = self.parts.iter().filter(|(_, disk)| on_disk.starts_with(disk));
        belongs.max_by_key(|(_, disk)| disk.len()).is_some_and(|(part, _)| matches!(*part, "text." | "head."))
    }

    /// Whether a name on disk belongs to the tower or the projector.
    pub fn is_vision(&self, on_disk: &str) -> bool {
        let vision = |part: &str| part == "vision." || part.starts_with("projector.");
        self.parts.iter().any(|(part, disk)| vision(part) && on_disk.starts_with(disk))
    }

    /// The spelling on disk of a canonical name.
    pub fn on_disk(&self, canonical: &str) -> String {
        for (part, disk) in &self.parts {
            if let Some(rest) = canonical.strip_prefix(part) {
                return format!("{disk}{rest}");
            }
        }
        canonical.to_owned()
    }
}

/// Buffers that old files carry and that are computed, not loaded.
pub(super) fn is_buffer(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".position_ids")
}
