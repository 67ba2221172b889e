//! The real Qwen vocabulary and a tiny one of the same kind; `data/README.md` says where they come from.

use std::io::Read;

use serde_json::Value;

const QWEN: &[u8] = include_bytes!("../data/qwen_tokenizer.json.gz");
const TINY: &str = include_str!("../data/goldens/d32-gqa-tied/checkpoint/tokenizer.json");
const CHAT_TEMPLATE: &str = include_str!("../data/goldens/d32-gqa-tied/checkpoint/chat_template.json");

/// A `tokenizer.json` for a seeded checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokenizer {
    /// 151,643 base tokens, the three chat tokens, `<image>` 151646 and `<video>` 151647.
    Qwen,
    /// 256 bytes, a few merges, then the same five special tokens.
    Tiny,
}

/// The real Qwen `tokenizer.json` with LLaVA-OneVision's `<image>` and `<video>` (5 MB of JSON).
pub fn qwen_tokenizer_json() -> Vec<u8> {
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(QWEN).read_to_end(&mut json).expect("the embedded archive is whole");
    json
}

/// The chat template as the llava-hf repositories hold it (`chat_template.json`).
pub(crate) fn chat_template_json() -> &'static str {
    CHAT_TEMPLATE
}

impl Tokenizer {
    /// `tokenizer.json`; without `<image>` and `<video>` as the original repositories have it, on request.
    pub fn json(self, media_tokens: bool) -> Vec<u8> {
        let json = match self {
            Self::Qwen => qwen_tokenizer_json(),
            Self::Tiny => TINY.as_bytes().to_vec(),
        };
        if media_tokens {
            return json;
        }
        let mut value: Value = serde_json::from_slice(&json).unwrap();
        let added = value["added_tokens"].as_array_mut().unwrap();
        added.retain(|token| !matches!(token["content"].as_str(), Some("<image>" | "<video>")));
        serde_json::to_vec(&value).unwrap()
    }

    /// The id of `<|endoftext|>`, the first special token.
    pub fn end_of_text(self) -> usize {
        match self {
            Self::Qwen => 151_643,
            Self::Tiny => 275,
        }
    }

    /// The id of `<|im_end|>`.
    pub fn im_end(self) -> usize {
        self.end_of_text() + 2
    }

    /// The id of `<image>`.
    pub fn image(self) -> usize {
        self.end_of_text() + 3
    }

    /// The id of `<video>`.
    pub fn video(self) -> usize {
        self.end_of_text() + 4
    }

    /// Entries with the media tokens.
    pub fn size(self) -> usize {
        self.end_of_text() + 5
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_qwen_tokenizer_is_the_one_that_was_trimmed() {
        let digest = Sha256::digest(qwen_tokenizer_json());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "6ad0e20203c72c703933702eaa9c265b300f8c6c408cf9032910c39f6d5344a9");
    }

    #[test]
    fn special_tokens_have_the_ids_we_say() {
        for tokenizer in [Tokenizer::Qwen, Tokenizer::Tiny] {
            let value: Value = serde_json::from_slice(&tokenizer.json(true)).unwrap();
            let id = |text: &str| {
                let added = value["added_tokens"].as_array().unwrap();
                added.iter().find(|t| t["content"] == text).unwrap()["id"].as_u64().unwrap() as usize
            };
            assert_eq!(id("<|endoftext|>"), tokenizer.end_of_text());
            assert_eq!(id("<|im_end|>"), tokenizer.im_end());
            assert_eq!(id("<image>"), tokenizer.image());
            assert_eq!(id("<video>"), tokenizer.video());
            assert_eq!(value["model"]["vocab"].as_object().unwrap().len(), tokenizer.end_of_text());
            let original = String::from_utf8(tokenizer.json(false)).unwrap();
            assert!(!original.contains("<video>") && original.contains("<|im_end|>"));
        }
    }
}
