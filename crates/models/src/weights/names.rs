//! One canonical name for every tensor, and how a family's layouts spell it.
//!
//! Canonical parts: `text` (embed_tokens, layers.N, norm), `head`, `vision` (embeddings, encoder, post_layernorm),
//! `merger`, `newline`. Each part is recognised by itself, so files that mix spellings load too.

use super::Checkpoint;

/// How a family's layouts spell one canonical part.
#[derive(Debug, Clone, Copy)]
pub struct Spelling {
    /// Canonical prefix.
    pub part: &'static str,
    /// A tensor after the prefix that shows the part is there.
    pub witness: &'static str,
    /// Prefixes on disk; the first is named where the part is missing.
    pub on_disk: &'static [&'static str],
}

/// Where each canonical part lies in this checkpoint.
#[derive(Debug, Clone)]
pub struct NameMap {
    parts: Vec<(&'static str, &'static str)>,
}

impl NameMap {
    /// Finds the spelling of every part; a part that is nowhere keeps the first spelling, so that the error which
    /// follows names a tensor.
    pub fn detect(checkpoint: &Checkpoint, spellings: &[Spelling]) -> Self {
        let find = |spelling: &Spelling| {
            let there = |s: &&&'static str| checkpoint.info(&format!("{s}{}", spelling.witness)).is_some();
            let on_disk = spelling.on_disk.iter().find(there).or(spelling.on_disk.first());
            (spelling.part, on_disk.copied().unwrap_or(""))
        };
        Self { parts: spellings.iter().map(find).collect() }
    }

    /// Whether a name on disk belongs to the language model. One part's prefix may begin another's: the longest counts.
    pub(super) fn is_language(&self, on_disk: &str) -> bool {
        let belongs = self.parts.iter().filter(|(_, disk)| on_disk.starts_with(disk));
        belongs.max_by_key(|(_, disk)| disk.len()).is_some_and(|(part, _)| matches!(*part, "text." | "head."))
    }

    /// Whether a name on disk belongs to the tower or the merger.
    pub fn is_vision(&self, on_disk: &str) -> bool {
        let vision = |part: &str| part == "vision." || part.starts_with("merger.");
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
