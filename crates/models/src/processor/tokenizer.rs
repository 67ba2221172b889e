//! The checkpoint's own tokenizer.

use super::{tokenizer_files, tokenizer_gguf, tokenizer_parts};
use crate::guard::caught;
use crate::weights::GgufMetadata;
use crate::{ModelError, Result, files};
use serde_json::Value;
use std::path::Path;
use tokenizers::{ModelWrapper, Tokenizer};

/// Text to ids and back, and the ids that end an answer.
pub struct TextTokenizer {
    inner: Tokenizer,
    vocabulary: usize,
    stop_ids: Vec<u32>,
    /// What every prompt begins with, where the checkpoint says so.
    begin_id: Option<u32>,
}

impl TextTokenizer {
    /// Reads `tokenizer.json` of a checkpoint folder, or `vocab.json` and `merges.txt` where older repositories have
    /// those; an answer ends at `eos_ids` or at the token `end_of_turn`.
    pub fn read(folder: &Path, eos_ids: &[u32], end_of_turn: &str) -> Result<Self> {
        let mut path = folder.join("tokenizer.json");
        let inner = if !path.exists() && folder.join("vocab.json").exists() {
            let assembled = tokenizer_files::assemble(folder)?;
            path = folder.join("vocab.json");
            assembled_tokenizer(assembled)
        } else {
            let json = files::read(&path, tokenizer_files::MAX_BYTES)?;
            tokenizer_parts::check(&json)
                .and_then(|()| caught(|| Tokenizer::from_bytes(&json).map_err(|e| e.to_string()))?)
        };
        let inner = inner.map_err(|e| ModelError::File {
            path,
            message: format!("not a tokenizer ({e}); download it again"),
        })?;
        Self::new(inner, eos_ids, end_of_turn)
    }

    /// The tokenizer in a GGUF file's metadata; an answer ends at its end-of-sequence and end-of-turn ids.
    pub(crate) fn from_gguf(metadata: &GgufMetadata) -> Result<Self> {
        let inner = assembled_tokenizer(tokenizer_gguf::assemble(metadata)?)
            .map_err(|e| metadata.error(format!("not a tokenizer ({e}); download it again")))?;
        let id = |name: &str| metadata.id(&format!("tokenizer.ggml.{name}_token_id"));
        let stop_ids: Vec<u32> = [id("eos")?, id("eot")?].into_iter().flatten().collect();
        let begins = metadata.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(false);
        let begin_id = if begins { id("bos")? } else { None };
        Ok(Self { begin_id, ..Self::new(inner, &stop_ids, "")? })
    }

    fn new(mut inner: Tokenizer, eos_ids: &[u32], end_of_turn: &str) -> Result<Self> {
        // Files saved after training may carry a maximum length, which would cut prompts without a word.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        // Left from training too: merges left out at random, so that a text has other ids each time.
        if let ModelWrapper::BPE(bpe) = inner.get_model()
            && bpe.dropout.is_some()
        {
            let mut bpe = bpe.clone();
            bpe.dropout = None;
            inner.with_model(bpe);
        }
        let mut stop_ids = eos_ids.to_vec();
        stop_ids.extend(inner.token_to_id(end_of_turn));
        stop_ids.sort_unstable();
        stop_ids.dedup();
        let vocabulary = largest_id(&inner) as usize + 1;
        Ok(Self { inner, vocabulary, stop_ids, begin_id: None })
    }

    /// Ids of `text`; special tokens are recognised in it, none is added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = caught(|| self.inner.encode_fast(text, false).map_err(|e| e.to_string()));
        Ok(encoding.flatten().map_err(ModelError::Tokenizer)?.get_ids().to_vec())
    }

    /// Ids of a whole prompt: those of `text`, after the token that every prompt begins with where there is one and `text`
    /// does not have it.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = self.encode(text)?;
        match self.begin_id {
            Some(begin) if ids.first() != Some(&begin) => ids.insert(0, begin),
            _ => {}
        }
        Ok(ids)
    }

    /// Text of `ids`, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let text = caught(|| self.inner.decode(ids, true).map_err(|e| e.to_string()));
        text.flatten().map_err(ModelError::Tokenizer)
    }

    /// The token with this id as it is spelt, special tokens included.
    pub fn token(&self, id: u32) -> String {
        caught(|| self.inner.decode(&[id], false).unwrap_or_default()).unwrap_or_default()
    }

    /// Id of a token that is spelt exactly so.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// One more than the largest id: rows of the model beyond are padding and never sampled.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Spellings of the added tokens, `<|im_end|>` and the like: text that is not the template's must not hold them.
    pub fn added_tokens(&self) -> Vec<String> {
        self.inner.get_added_tokens_decoder().into_values().map(|token| token.content).collect()
    }

    /// Ids that end an answer.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }
}

/// From parts that were put together here.
fn assembled_tokenizer(json: Value) -> Result<Tokenizer, String> {
    caught(|| serde_json::from_value(json).map_err(|e| e.to_string()))?
}

/// The largest id of a token. Added tokens may lie behind a gap, so that it is not the count.
fn largest_id(tokenizer: &Tokenizer) -> u32 {
    let added = tokenizer.get_added_vocabulary().get_vocab().values().copied().max().unwrap_or(0);
    // Learnt tokens are numbered through. Looking at each means copying all, which takes a tenth of a second for Qwen2's.
    let last_learnt =
        u32::try_from(tokenizer.get_vocab_size(false)).ok().and_then(|count| count.checked_sub(1));
    match last_learnt.filter(|id| tokenizer.id_to_token(*id).is_some()) {
        Some(last) => last.max(added),
        None => tokenizer.get_vocab(true).into_values().max().unwrap_or(0),
    }
}
