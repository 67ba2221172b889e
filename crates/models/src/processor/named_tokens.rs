//! The tokenizer's named tokens, which transformers hands to every chat template: `bos_token`, `eos_token`, `pad_token` and
//! the like, and those that a model adds (`image_token`).

use crate::Result;
use crate::json::Json;
use crate::weights::GgufMetadata;
use minijinja::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Tokens by name, as templates see them.
pub(super) type NamedTokens = BTreeMap<String, Value>;

/// A named token: spelt out, or described by an object with its `content`.
fn spelling(json: &serde_json::Value) -> Option<&str> {
    json.as_str().or_else(|| json.get("content")?.as_str())
}

/// Those of `tokenizer_config.json`. Where that describes no added tokens, as older ones do, `special_tokens_map.json` comes
/// first, as in transformers.
pub(super) fn read(folder: &Path) -> Result<NamedTokens> {
    let mut tokens = NamedTokens::new();
    let path = folder.join("tokenizer_config.json");
    let described = if path.exists() {
        let config = Json::read(&path)?;
        add(&mut tokens, &config);
        config.has("added_tokens_decoder")
    } else {
        false
    };
    let path = folder.join("special_tokens_map.json");
    if !described && path.exists() {
        add(&mut tokens, &Json::read(&path)?);
    }
    Ok(tokens)
}

fn add(tokens: &mut NamedTokens, json: &Json) {
    for (key, value) in json.entries() {
        let named = value.as_object().into_iter().flatten();
        match (key, value) {
            ("additional_special_tokens", serde_json::Value::Array(list)) => {
                let list: Vec<Value> = list.iter().filter_map(spelling).map(Value::from).collect();
                tokens.insert(key.to_owned(), Value::from(list));
            }
            ("extra_special_tokens" | "model_specific_special_tokens", _) => tokens.extend(
                named.filter_map(|(name, token)| Some((name.clone(), Value::from(spelling(token)?)))),
            ),
            _ if key.ends_with("_token") => {
                tokens.extend(spelling(value).map(|token| (key.to_owned(), Value::from(token))));
            }
            _ => {}
        }
    }
}

/// Those of a GGUF file's metadata; `token` spells an id.
pub(crate) fn of_gguf(metadata: &GgufMetadata, token: impl Fn(u32) -> String) -> Result<NamedTokens> {
    let mut tokens = NamedTokens::new();
    for (name, key) in [
        ("bos_token", "bos"),
        ("eos_token", "eos"),
        ("unk_token", "unknown"),
        ("sep_token", "seperator"), // spelt so in the format
        ("pad_token", "padding"),
        ("cls_token", "cls"),
        ("mask_token", "mask"),
    ] {
        if let Some(id) = metadata.id(&format!("tokenizer.ggml.{key}_token_id"))? {
            tokens.insert(name.to_owned(), Value::from(token(id)));
        }
    }
    Ok(tokens)
}
