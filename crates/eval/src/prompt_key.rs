//! lmms-eval's names for the models whose prompts differ: the one place that knows models by name.

use crate::task::named;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Words around a question that lmms-eval chooses by the model's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptKey {
    /// Any model without words of its own.
    #[default]
    Default,
    /// LLaVA-Video.
    LlavaVid,
    /// GPT-4V.
    #[serde(rename = "gpt4v")]
    Gpt4v,
    /// Qwen3-VL.
    Qwen3Vl,
    /// Gemini.
    GeminiApi,
    /// PLM.
    Plm,
}

impl PromptKey {
    const ALL: [Self; 6] =
        [Self::Default, Self::LlavaVid, Self::Gpt4v, Self::Qwen3Vl, Self::GeminiApi, Self::Plm];

    /// As lmms-eval spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::LlavaVid => "llava_vid",
            Self::Gpt4v => "gpt4v",
            Self::Qwen3Vl => "qwen3_vl",
            Self::GeminiApi => "gemini_api",
            Self::Plm => "plm",
        }
    }

    /// Whether a prompt is only the question, its options and "Answer with the option letter only.".
    pub(crate) fn is_terse(self) -> bool {
        self == Self::Qwen3Vl
    }

    /// Whether a prompt ends with the words that an answer begins with.
    pub(crate) fn begins_the_answer(self) -> bool {
        self == Self::LlavaVid
    }

    /// Frames at which subtitles are looked up, whatever the model is shown.
    pub(crate) fn subtitle_frames(self) -> usize {
        if matches!(self, Self::LlavaVid | Self::Qwen3Vl) { 768 } else { 32 }
    }

    /// The key of a model family, by its name.
    pub fn of_family(name: &str) -> Self {
        if name == "LLaVA-Video" { Self::LlavaVid } else { Self::Default }
    }
}

named!(PromptKey, "prompt key");
