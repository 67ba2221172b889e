//! A tokenizer from the files that older repositories hold in place of `tokenizer.json`.

use super::bpe::{Splitting, merge, tokenizer_json};
use crate::{ModelError, Result, files};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Files of a tokenizer are tens of MB at most.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// `tokenizer.json` as it would be for Qwen2's `vocab.json`, `merges.txt` and the added tokens of
/// `tokenizer_config.json` and `added_tokens.json`.
pub(super) fn assemble(folder: &Path) -> Result<Value> {
    let mut vocabulary = object(&folder.join("vocab.json"))?;
    let merges_path = folder.join("merges.txt");
    let merges = merges(&merges_path, &files::read_text(&merges_path, MAX_BYTES)?)?;
    let added = added_tokens(folder)?;
    for (id, token) in &added {
        vocabulary.insert(token["content"].as_str().unwrap_or_default().to_owned(), json!(id));
    }
    Ok(tokenizer_json(Splitting::Qwen2, vocabulary, merges, added.into_values().collect()))
}

/// Lines `left right`, most frequent first; the first line may name the version.
fn merges(path: &Path, text: &str) -> Result<Vec<[String; 2]>> {
    let first = usize::from(text.starts_with("#version"));
    let lines = text.lines().enumerate().skip(first).filter(|(_, line)| !line.is_empty());
    let merge = |(i, line): (usize, &str)| {
        merge(line).ok_or_else(|| ModelError::File {
            path: path.into(),
            message: format!("line {} is not a merge `left right`; download it again", i + 1),
        })
    };
    lines.map(merge).collect()
}

/// Added tokens by id, in the form of `tokenizer.json`. Those that only `added_tokens.json` names are taken as special,
/// which all of Qwen2's are.
fn added_tokens(folder: &Path) -> Result<BTreeMap<u32, Value>> {
    let mut tokens = BTreeMap::new();
    let plain = folder.join("added_tokens.json");
    if plain.exists() {
        for (content, id) in object(&plain)? {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| bad_token(&plain, &content))?;
            tokens.insert(id, added_token(id, &content, &Value::Null));
        }
    }
    let config = folder.join("tokenizer_config.json");
    if config.exists()
        && let Some(Value::Object(described)) = object(&config)?.get("added_tokens_decoder")
    {
        for (key, token) in described {
            let bad = || bad_token(&config, key);
            let id = key.parse().map_err(|_| bad())?;
            let content = token["content"].as_str().ok_or_else(bad)?;
            tokens.insert(id, added_token(id, content, token));
        }
    }
    Ok(tokens)
}

fn added_token(id: u32, content: &str, described: &Value) -> Value {
    let flag = |key: &str, default: bool| described.get(key).and_then(Value::as_bool).unwrap_or(default);
    json!({
        "id": id,
        "content": content,
        "single_word": flag("single_word", false),
        "lstrip": flag("lstrip", false),
        "rstrip": flag("rstrip", false),
        "normalized": flag("normalized", false),
        "special": flag("special", true),
    })
}

fn bad_token(path: &Path, token: &str) -> ModelError {
    ModelError::File {
        path: path.into(),
        message: format!("added token `{token}` has no text or no valid id"),
    }
}

fn object(path: &Path) -> Result<Map<String, Value>> {
    serde_json::from_str(&files::read_text(path, MAX_BYTES)?).map_err(|e| ModelError::File {
        path: path.into(),
        message: format!("not a JSON object ({e}); download it again"),
    })
}
