//! Reads the golden cases that `tools/goldens/make_goldens.py` writes; that folder's README lists the tensors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::data_dir;

/// A tensor's values with its shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Values<T> {
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub data: Vec<T>,
}

/// One context method of a case, as the reference ran it.
#[derive(Clone, Debug, Deserialize)]
pub struct Method {
    /// s, at least 1.
    pub scale: f64,
    /// The window of the ramp and of s, in tokens: the language window for `yarn`, else the visual window.
    pub window: usize,
    /// m, multiplied into cos and sin.
    pub attention_factor: f64,
    /// Angular frequencies in f64, head_dim / 2 of them.
    pub inv_freq: Vec<f64>,
}

/// The settings of a case (`meta.json`).
#[derive(Clone, Debug, Deserialize)]
pub struct Meta {
    /// Name and folder of the case.
    pub case: String,
    /// `hf5`, `hf-published` or `lmms`.
    pub layout: String,
    /// Of the stored weights: `float32`, `float16` or `bfloat16`.
    pub dtype: String,
    /// Channels of one attention head of the language model.
    pub head_dim: usize,
    /// RoPE base.
    pub theta: f64,
    /// Side of the resized frame, pixels.
    pub image_size: usize,
    /// Side of a patch, pixels.
    pub patch: usize,
    /// Patches per side.
    pub grid: usize,
    /// Per channel, of pixels in 0..1.
    pub mean: [f32; 3],
    /// Per channel, of pixels in 0..1.
    pub std: [f32; 3],
    /// Visual training window, tokens.
    pub visual_window: usize,
    /// Language window, tokens (`max_position_embeddings`).
    pub language_window: usize,
    /// Ramp end in rotations (slow side).
    pub alpha: f64,
    /// Ramp end in rotations (fast side).
    pub beta: f64,
    /// `bilinear` or `average`.
    pub pool_mode: String,
    /// `one_token` or `grid`.
    pub newline: String,
    /// Whether the head shares the embedding's weights.
    pub tied: bool,
    /// The question alone.
    pub question: String,
    /// The user's turn after the video's newline: the question, for LLaVA-Video after its time instruction.
    pub user_text: String,
    /// LLaVA-Video only.
    pub duration_secs: Option<f64>,
    /// LLaVA-Video only: the time of each frame.
    pub frame_times_secs: Option<Vec<f64>>,
    /// Entries of the tokenizer; rows beyond are padding and never sampled.
    pub tokenizer_size: usize,
    /// Visual tokens of the default plan without newline embeddings.
    pub visual_tokens: usize,
    /// Greedy tokens stored for each method.
    pub new_tokens: usize,
    /// Text before the visual tokens (`qwen_1_5` template).
    pub prompt_before: String,
    /// Text after the visual tokens.
    pub prompt_after: String,
    /// The checkpoint's own chat template rendered, one `<video>` not expanded (HF layouts only).
    pub chat_text: Option<String>,
    /// Token ids of `chat_text`.
    pub chat_ids: Option<Vec<u32>>,
    /// By name: `none`, `linear`, `ntk`, `yarn`, `vcwe`, `vcwe_no_attention_factor`.
    pub methods: BTreeMap<String, Method>,
    /// How far the reference moves when a method or a position is wrong (relative).
    pub margins: BTreeMap<String, f64>,
}

/// The settings of a SmolVLM2 case.
#[derive(Clone, Debug, Deserialize)]
pub struct SmolVlmMeta {
    /// Side of a frame, pixels.
    pub image_size: usize,
    /// Visual tokens per side before pooling.
    pub grid: usize,
    /// Visual training window, tokens.
    pub visual_window: usize,
    /// Language window, tokens.
    pub language_window: usize,
    /// Ramp end in rotations (slow side).
    pub alpha: f64,
    /// Ramp end in rotations (fast side).
    pub beta: f64,
    /// The question alone.
    pub question: String,
    /// Entries of the tokenizer; rows beyond are padding and never sampled.
    pub tokenizer_size: usize,
    /// Visual tokens without pooling.
    pub visual_tokens: usize,
    /// Greedy tokens stored for each method.
    pub new_tokens: usize,
    /// The time of each frame.
    pub frame_times_secs: Vec<f64>,
    /// Of the video.
    pub duration_secs: f64,
    /// The whole prompt, one `<image>` for each visual token.
    pub prompt_text: String,
    /// By name, without pooling.
    pub methods: BTreeMap<String, Method>,
    /// The run with pooled frames: `progressive_4_2_8` under `vcwe`.
    pub pooled: Pooled,
}

/// A run with pooled frames.
#[derive(Clone, Debug, Deserialize)]
pub struct Pooled {
    /// Visual tokens of all frames.
    pub visual_tokens: usize,
    /// s, at least 1.
    pub scale: f64,
}

/// One case: settings, checkpoint and the values of every stage.
pub struct Golden<M = Meta> {
    /// Settings.
    pub meta: M,
    case: String,
    bytes: Vec<u8>,
}

/// The names of all LLaVA cases.
pub fn cases() -> Vec<String> {
    let entries = std::fs::read_dir(data_dir().join("goldens")).expect("goldens folder");
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with("smolvlm"));
    names.sort();
    names
}

/// The checkpoint folder of a case; `tiny` is the trained model that the program carries.
pub fn checkpoint_dir(case: &str) -> PathBuf {
    match case {
        "tiny" => data_dir().join("../../../assets/tiny"),
        _ => data_dir().join("goldens").join(case).join("checkpoint"),
    }
}

/// The names of all SmolVLM2 cases.
pub const SMOLVLM_CASES: [&str; 3] = ["smolvlm-256m", "smolvlm-2b", "smolvlm-500m"];

impl Golden {
    /// Reads a case of LLaVA by name.
    pub fn load(case: &str) -> Self {
        Self::read(case)
    }

    /// Every case of LLaVA.
    pub fn all() -> impl Iterator<Item = Self> {
        cases().into_iter().map(|case| Self::load(&case))
    }
}

impl<M: DeserializeOwned> Golden<M> {
    /// Reads a case by name, with the settings of its family.
    pub fn read(case: &str) -> Self {
        let folder = data_dir().join("goldens").join(case);
        let read =
            |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{case}/{name}: {e}"));
        let meta = serde_json::from_slice(&read("meta.json")).unwrap();
        Self { meta, case: case.into(), bytes: read("golden.safetensors") }
    }

    /// Its name.
    pub fn case(&self) -> &str {
        &self.case
    }

    /// The folder with this case's config, weights and tokenizer.
    pub fn checkpoint(&self) -> PathBuf {
        checkpoint_dir(&self.case)
    }

    /// An f32 tensor, for example `tower` `[T, N, C]`.
    pub fn f32s(&self, name: &str) -> Values<f32> {
        self.values(name, Dtype::F32, |bytes: [u8; 4]| f32::from_le_bytes(bytes))
    }

    /// An i64 tensor, for example `prompt_before_ids` `[n]`.
    pub fn i64s(&self, name: &str) -> Values<i64> {
        self.values(name, Dtype::I64, |bytes: [u8; 8]| i64::from_le_bytes(bytes))
    }

    /// Token ids, for example `tokens_vcwe`.
    pub fn ids(&self, name: &str) -> Vec<u32> {
        self.i64s(name).data.into_iter().map(|id| u32::try_from(id).unwrap()).collect()
    }

    /// A u8 tensor, for example `frames` `[T, height, width, 3]`.
    pub fn u8s(&self, name: &str) -> Values<u8> {
        self.values(name, Dtype::U8, |bytes: [u8; 1]| bytes[0])
    }

    fn values<T, const N: usize>(&self, name: &str, dtype: Dtype, read: impl Fn([u8; N]) -> T) -> Values<T> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(name).unwrap_or_else(|e| panic!("{}: {name}: {e}", self.case));
        assert_eq!(view.dtype(), dtype, "{}: {name}", self.case);
        let data = view.data().as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect();
        Values { shape: view.shape().to_vec(), data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_holds_every_stage() {
        assert!(cases().len() >= 7);
        for golden in Golden::all() {
            let meta = &golden.meta;
            let frames = golden.u8s("frames").shape[0];
            assert_eq!(golden.u8s("resized").shape, [frames, meta.image_size, meta.image_size, 3]);
            assert_eq!(golden.f32s("pixels").shape, [frames, 3, meta.image_size, meta.image_size]);
            assert_eq!(golden.f32s("tower").shape[..2], [frames, meta.grid * meta.grid]);
            assert_eq!(golden.f32s("pooled_progressive_4_2_8").shape[0], meta.visual_tokens);
            let pieces = ["prompt_before_ids", "prompt_after_ids"].map(|name| golden.ids(name).len());
            let length = pieces[0] + golden.f32s("visual").shape[0] + pieces[1];
            assert_eq!(golden.f32s("embeddings").shape[0], length);
            for (name, method) in &meta.methods {
                assert_eq!(method.inv_freq.len(), meta.head_dim / 2);
                assert_eq!(golden.ids(&format!("tokens_{name}")).len(), meta.new_tokens);
                assert!(golden.f32s(&format!("logits_{name}")).data.len() >= meta.tokenizer_size);
            }
            assert!(golden.checkpoint().join("config.json").is_file());
        }
    }

    #[test]
    fn a_wrong_method_or_position_would_show() {
        for golden in Golden::all() {
            // The tolerance is 1e-4. What was trained to find cards minds a shift by one position less.
            let least = if golden.meta.case == "tiny" { 4e-3 } else { 1e-2 };
            for (what, margin) in golden.meta.margins.iter().filter(|(what, _)| !what.contains("gap")) {
                assert!(*margin >= least, "{}: {what} moves the logits by {margin} only", golden.meta.case);
            }
        }
    }
}
