//! What `tokenizer.json` may be made of. The library reads many more kinds of parts than byte-level and byte-fallback BPE
//! need; the others never meet a file from outside.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Parts by the key that holds them. `Sequence` holds others.
const NORMALIZERS: &[&str] = &["NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Sequence"];
const PRE_TOKENIZERS: &[&str] = &["ByteLevel", "Digits", "Metaspace", "Sequence", "Split"];
const POST_PROCESSORS: &[&str] = &["ByteLevel", "Sequence", "TemplateProcessing"];
const DECODERS: &[&str] = &["ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Sequence", "Strip"];
/// A pattern, or what replaces it: the longest published one has a few hundred bytes.
const MAX_TEXT_BYTES: usize = 4096;
/// What takes the place of one match: a character, and `▁` has three bytes.
const MAX_REPLACEMENT_BYTES: usize = 16;
/// Parts within parts.
const MAX_DEPTH: usize = 8;

#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    merges: Option<IgnoredAny>,
}

/// Looks at a `tokenizer.json` without building it.
///
/// # Errors
/// In words: no JSON object with a model, a model that is not BPE, a part that is not in the lists.
pub(super) fn check(json: &[u8]) -> Result<(), String> {
    let parts: Parts = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    match (parts.model.kind.as_deref(), parts.model.merges) {
        (Some("BPE"), _) | (None, Some(_)) => {}
        (kind, _) => {
            let kind = kind.unwrap_or("without a type");
            return Err(format!("its model is {}; longsight reads BPE", short(kind)));
        }
    }
    check_part("normalizer", &parts.normalizer, NORMALIZERS, 0)?;
    check_part("pre_tokenizer", &parts.pre_tokenizer, PRE_TOKENIZERS, 0)?;
    check_part("post_processor", &parts.post_processor, POST_PROCESSORS, 0)?;
    check_part("decoder", &parts.decoder, DECODERS, 0)
}

fn check_part(key: &str, part: &Value, known: &[&str], depth: usize) -> Result<(), String> {
    if part.is_null() {
        return Ok(());
    }
    let kind = part.get("type").and_then(Value::as_str).unwrap_or("without a type");
    if !known.contains(&kind) || depth > MAX_DEPTH {
        return Err(format!("its {key} is {}; longsight reads {}", short(kind), known.join(", ")));
    }
    let longest = |key: &str, limit: usize| {
        let text = part.get(key).map(|value| match value {
            Value::Object(either) => {
                either.values().filter_map(Value::as_str).map(str::len).max().unwrap_or(0)
            }
            value => value.as_str().map_or(0, str::len),
        });
        text.is_some_and(|bytes| bytes > limit)
    };
    if longest("pattern", MAX_TEXT_BYTES)
        || longest("content", MAX_REPLACEMENT_BYTES)
        || longest("prepend", MAX_REPLACEMENT_BYTES)
        || longest("replacement", MAX_REPLACEMENT_BYTES)
    {
        return Err(format!("its {key} {kind} has a text that is far too long"));
    }
    let inner = ["normalizers", "pretokenizers", "processors", "decoders"].iter();
    let mut inner = inner.filter_map(|list| part.get(list)?.as_array()).flatten();
    inner.try_for_each(|inner| check_part(key, inner, known, depth + 1))
}

fn short(kind: &str) -> String {
    kind.chars().take(40).collect()
}
