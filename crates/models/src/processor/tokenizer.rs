//! The checkpoint's own tokenizer.

use crate::{ModelError, Result};
use std::path::Path;
use tokenizers::Tokenizer;

/// Text to ids and back, and the ids that end an answer.
pub struct TextTokenizer {
    inner: Tokenizer,
    vocabulary: usize,
    stop_ids: Vec<u32>,
}

impl TextTokenizer {
    /// Reads `tokenizer.json` of a checkpoint folder; an answer ends at `eos_ids` or `<|im_end|>`.
    pub fn read(folder: &Path, eos_ids: &[u32]) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| ModelError::Io { path: path.clone(), source })?;
        let inner = Tokenizer::from_bytes(bytes).map_err(|e| ModelError::File {
            path,
            message: format!("not a tokenizer ({e}); download it again"),
        })?;
        Ok(Self::new(inner, eos_ids))
    }

    fn new(inner: Tokenizer, eos_ids: &[u32]) -> Self {
        // Added tokens may lie behind a gap, so the size is that of the largest id, not the count.
        let largest = inner.get_vocab(true).into_values().max().unwrap_or(0);
        let mut stop_ids = eos_ids.to_vec();
        stop_ids.extend(inner.token_to_id("<|im_end|>"));
        stop_ids.sort_unstable();
        stop_ids.dedup();
        Self { inner, vocabulary: largest as usize + 1, stop_ids }
    }

    /// Ids of `text`; special tokens are recognised in it, none is added.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding =
            self.inner.encode_fast(text, false).map_err(|e| ModelError::Tokenizer(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of `ids`, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|e| ModelError::Tokenizer(e.to_string()))
    }

    /// The token with this id as it is spelt, special tokens included.
    pub fn token(&self, id: u32) -> String {
        self.inner.decode(&[id], false).unwrap_or_default()
    }

    /// Id of a token that is spelt exactly so.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// One more than the largest id: rows of the model beyond are padding and never sampled.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Ids that end an answer.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }
}
