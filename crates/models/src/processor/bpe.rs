//! Byte-level BPE in the form of `tokenizer.json`, from whatever files hold its parts.

use serde_json::{Map, Value, json};

/// How text is split before merges are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Splitting {
    /// GPT-2's: words with the space before them, runs of digits, runs of other marks.
    Gpt2,
    /// SmolLM's: each digit by itself, then as GPT-2.
    SmolLm,
    /// Qwen2's (transformers, `tokenization_qwen2.py`), after NFC.
    Qwen2,
}

const QWEN2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Splitting {
    fn normalizer(self) -> Value {
        match self {
            Self::Qwen2 => json!({"type": "NFC"}),
            Self::Gpt2 | Self::SmolLm => Value::Null,
        }
    }

    fn pre_tokenizer(self) -> Value {
        let (first, last) = match self {
            Self::Gpt2 => return byte_level(true),
            Self::SmolLm => (json!({"type": "Digits", "individual_digits": true}), byte_level(true)),
            Self::Qwen2 => {
                let pattern = json!({"Regex": QWEN2_SPLIT});
                let split =
                    json!({"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false});
                (split, byte_level(false))
            }
        };
        json!({"type": "Sequence", "pretokenizers": [first, last]})
    }
}

/// Bytes as printable characters, after GPT-2's split where `use_regex` says so.
fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": use_regex})
}

/// `tokenizer.json` of these parts. Added tokens are in `vocabulary` too, so that each keeps its id whatever gaps there are.
pub(super) fn tokenizer_json(
    splitting: Splitting,
    vocabulary: Map<String, Value>,
    merges: Vec<[String; 2]>,
    added: Vec<Value>,
) -> Value {
    json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": splitting.normalizer(),
        "pre_tokenizer": splitting.pre_tokenizer(),
        "decoder": byte_level(false),
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    })
}

/// A merge written `left right`.
pub(super) fn merge(line: &str) -> Option<[String; 2]> {
    let (left, right) = line.split_once(' ')?;
    let whole = !left.is_empty() && !right.is_empty() && !right.contains(' ');
    whole.then(|| [left.to_owned(), right.to_owned()])
}
