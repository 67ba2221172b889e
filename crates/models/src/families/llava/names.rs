use crate::weights::Spelling;

/// lmms-lab, llava-hf on disk, in memory since transformers 4.52, and a doubled form that some tools write.
pub(super) const SPELLINGS: &[Spelling] = &[
    Spelling {
        part: "text.",
        witness: "embed_tokens.weight",
        on_disk: &["model.", "language_model.model.", "model.language_model.", "model.language_model.model."],
    },
    Spelling {
        part: "head.",
        witness: "weight",
        on_disk: &["lm_head.", "language_model.lm_head.", "model.language_model.lm_head."],
    },
    Spelling {
        part: "vision.",
        witness: "embeddings.patch_embedding.weight",
        on_disk: &[
            "model.vision_tower.vision_tower.vision_model.",
            "vision_tower.vision_model.",
            "model.vision_tower.vision_model.",
            "model.vision_tower.",
            "vision_tower.",
        ],
    },
    Spelling {
        part: "merger.0.",
        witness: "weight",
        on_disk: &[
            "model.mm_projector.0.",
            "multi_modal_projector.linear_1.",
            "model.multi_modal_projector.linear_1.",
        ],
    },
    Spelling {
        part: "merger.1.",
        witness: "weight",
        on_disk: &[
            "model.mm_projector.2.",
            "multi_modal_projector.linear_2.",
            "model.multi_modal_projector.linear_2.",
        ],
    },
    Spelling { part: "newline", witness: "", on_disk: &["model.image_newline", "image_newline"] },
];
