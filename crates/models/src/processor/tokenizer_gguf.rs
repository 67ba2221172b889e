//! A tokenizer from a GGUF file's metadata.

use super::bpe::{Splitting, merge, tokenizer_json};
use crate::Result;
use crate::weights::GgufMetadata;
use serde_json::{Map, Value, json};

/// Token types of ggml that matter here: control tokens are never text, user-defined ones are, and unused ones pad.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const UNUSED: i64 = 5;

/// `tokenizer.json` as it would be for the tokenizer in `metadata`.
///
/// # Errors
/// Another kind of tokenizer or of splitting (named), missing keys, lists that do not fit together.
pub(super) fn assemble(metadata: &GgufMetadata) -> Result<Value> {
    let splitting = splitting(metadata)?;
    let key = "tokenizer.ggml.tokens";
    let tokens = metadata.need(key, metadata.texts(key)?)?;
    let types = metadata.wholes("tokenizer.ggml.token_type")?.unwrap_or_else(|| vec![1; tokens.len()]);
    if types.len() != tokens.len() {
        let (tokens, types) = (tokens.len(), types.len());
        return Err(metadata.error(format!("{tokens} tokens and {types} token types; download it again")));
    }
    let key = "tokenizer.ggml.merges";
    let merges = metadata.need(key, metadata.texts(key)?)?;
    let bad = |line: &str| metadata.error(format!("merge `{line}` is not `left right`; download it again"));
    let merges = merges.into_iter().map(|line| merge(line).ok_or_else(|| bad(line)));
    let merges = merges.collect::<Result<Vec<_>>>()?;
    let (mut vocabulary, mut added) = (Map::new(), Vec::new());
    for (id, (token, kind)) in tokens.into_iter().zip(types).enumerate() {
        match kind {
            UNUSED => continue,
            CONTROL | USER_DEFINED => added.push(json!({
                "id": id, "content": token, "special": kind == CONTROL,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })),
            _ => {}
        }
        vocabulary.insert(token.to_owned(), json!(id));
    }
    let known = |part: &String| vocabulary.contains_key(part);
    if let Some([left, right]) = merges.iter().find(|pair| !pair.iter().all(known) || !known(&pair.concat()))
    {
        return Err(metadata
            .error(format!("merge `{left} {right}` names a token that is not there; download it again")));
    }
    Ok(tokenizer_json(splitting, vocabulary, merges, added))
}

fn splitting(metadata: &GgufMetadata) -> Result<Splitting> {
    let key = "tokenizer.ggml.model";
    let model = metadata.need(key, metadata.text(key)?)?;
    if model != "gpt2" {
        return Err(metadata
            .error(format!("{key} `{model}` is not supported; longsight reads byte-level BPE (gpt2)")));
    }
    let key = "tokenizer.ggml.pre";
    match metadata.need(key, metadata.text(key)?)? {
        "gpt-2" => Ok(Splitting::Gpt2),
        "smollm" => Ok(Splitting::SmolLm),
        "qwen2" => Ok(Splitting::Qwen2),
        other => Err(metadata
            .error(format!("{key} `{other}` is not supported; longsight reads gpt-2, qwen2 and smollm"))),
    }
}
