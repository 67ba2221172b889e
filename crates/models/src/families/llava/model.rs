use super::LlavaConfig;
use crate::pool::pool_frame;
use crate::processor::{ChatTemplate, Preprocessor, TextTokenizer};
use crate::projector::Projector;
use crate::text::Qwen2;
use crate::vision::Siglip;
use crate::weights::{Checkpoint, NameMap, Weights};
use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
use longsight_method::{NewlineMode, PoolPlan};
use std::path::Path;

/// How a checkpoint is loaded.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// Where tensors live.
    pub device: Device,
    /// Dtype of the weights; None keeps the checkpoint's own.
    pub dtype: Option<DType>,
}

impl Default for LoadSettings {
    fn default() -> Self {
        Self { device: Device::Cpu, dtype: None }
    }
}

/// A loaded model.
pub struct Llava {
    info: ModelInfo,
    tower: Siglip,
    projector: Projector,
    newline: Tensor,
    text: Qwen2,
    preprocessor: Preprocessor,
    device: Device,
}

/// All of a model but its weights: enough to plan a run.
pub struct ModelInfo {
    /// The configuration.
    pub config: LlavaConfig,
    /// Turns text into ids.
    pub tokenizer: TextTokenizer,
    /// Turns a conversation into text.
    pub template: ChatTemplate,
    /// Dtype that the weights will have.
    pub dtype: DType,
    /// Bytes of the weights in that dtype (norms stay f32).
    pub weights_bytes: u64,
    /// Rows of the embedding table.
    pub vocabulary: usize,
}

/// A checkpoint folder whose configuration, tokenizer and headers are read, and whose weights are not.
pub struct Description {
    /// What was read.
    pub info: ModelInfo,
    checkpoint: Checkpoint,
    names: NameMap,
}

impl Description {
    /// Reads configuration, tokenizer and the weights' headers of `folder`.
    pub fn read(folder: &Path, dtype: Option<DType>) -> Result<Self> {
        if !folder.is_dir() {
            return Err(ModelError::File {
                path: folder.into(),
                message: "no such checkpoint folder".into(),
            });
        }
        let mut config = LlavaConfig::read(folder)?;
        let tokenizer = TextTokenizer::read(folder, &config.eos_token_ids)?;
        let template = ChatTemplate::read(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        let names = NameMap::detect(&checkpoint);
        let dtype = dtype.unwrap_or(checkpoint.dtype());
        let embedding = checkpoint.info(&names.on_disk("text.embed_tokens.weight"));
        let vocabulary = embedding.and_then(|i| i.shape.first().copied()).unwrap_or(0);
        if vocabulary != 0 && vocabulary < tokenizer.vocabulary() {
            config.warnings.push(format!(
                "the tokenizer knows {} tokens, the model {vocabulary}: special tokens beyond are not usable",
                tokenizer.vocabulary()
            ));
        }
        let weights_bytes = loaded_bytes(&checkpoint, &names, &config, dtype);
        let info = ModelInfo { config, tokenizer, template, dtype, weights_bytes, vocabulary };
        Ok(Self { info, checkpoint, names })
    }
}

/// Bytes of all tensors that loading keeps.
fn loaded_bytes(checkpoint: &Checkpoint, names: &NameMap, config: &LlavaConfig, dtype: DType) -> u64 {
    let mut unused =
        vec![names.on_disk("vision.post_layernorm.weight"), names.on_disk("vision.post_layernorm.bias")];
    if config.text.tied_head {
        unused.push(names.on_disk("head.weight"));
    }
    let kept = checkpoint.names().filter(|n| !unused.iter().any(|u| u == n));
    kept.filter_map(|n| checkpoint.info(n))
        .map(|info| (info.shape.iter().product::<usize>() * dtype.size_in_bytes()) as u64)
        .sum()
}

impl Llava {
    /// Loads the checkpoint in `folder`.
    ///
    /// # Errors
    /// Missing, unused or misshapen tensors (named), truncated files, another family's config, a bad tokenizer.
    pub fn load(folder: &Path, settings: &LoadSettings) -> Result<Self> {
        Self::from_description(Description::read(folder, settings.dtype)?, &settings.device)
    }

    /// Loads the weights that `description` announced.
    pub fn from_description(description: Description, device: &Device) -> Result<Self> {
        let Description { info, checkpoint, names } = description;
        let config = &info.config;
        let weights = Weights::new(&checkpoint, &names, info.dtype, device);
        let tower = Siglip::load(&weights.below("vision"), &config.vision)?;
        let projector =
            Projector::load(&weights.below("projector"), config.vision.hidden, config.text.hidden)?;
        let newline = match config.newline {
            NewlineMode::None if !weights.has("newline") => {
                Tensor::zeros(config.text.hidden, DType::F32, device)?
            }
            _ => weights.get_f32("newline", &[config.text.hidden])?,
        };
        let text = Qwen2::load(&weights.below("text"), &weights.below("head"), &config.text)?;
        weights.finish()?;
        let preprocessor = Preprocessor::new(config.vision.image_side, &config.pixels);
        Ok(Self { info, tower, projector, newline, text, preprocessor, device: device.clone() })
    }

    /// All but the weights.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The configuration.
    pub fn config(&self) -> &LlavaConfig {
        &self.info.config
    }

    /// The vision tower.
    pub fn tower(&self) -> &Siglip {
        &self.tower
    }

    /// The projector.
    pub fn projector(&self) -> &Projector {
        &self.projector
    }

    /// The language model.
    pub fn text(&self) -> &Qwen2 {
        &self.text
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.info.tokenizer
    }

    /// The chat template.
    pub fn template(&self) -> &ChatTemplate {
        &self.info.template
    }

    /// Frames to pixels.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }

    /// Dtype of the weights.
    pub fn dtype(&self) -> DType {
        self.info.dtype
    }

    /// Where the model runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Projected features `[frames, patches, hidden]` of `pixels` `[frames, 3, side, side]`, normalised.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        self.projector.forward(&self.tower.forward(pixels)?)
    }

    /// Visual tokens `[tokens, hidden]` of frame `ordinal` of `plan`, with the newlines inside its span, from its features
    /// `[patches, hidden]`.
    pub fn pool(&self, features: &Tensor, plan: &PoolPlan, ordinal: usize) -> Result<Tensor> {
        pool_frame(plan, ordinal, features, &self.newline)
    }

    /// Visual tokens `[tokens, hidden]` of frames `first..`, pooled as `plan` says, with the newlines inside their spans.
    /// `pixels` `[frames, 3, side, side]`, normalised.
    pub fn visual_tokens(&self, pixels: &Tensor, plan: &PoolPlan, first: usize) -> Result<Tensor> {
        let features = self.features(pixels)?;
        let frames = (0..pixels.dim(0)?)
            .map(|i| self.pool(&features.get(i)?, plan, first + i))
            .collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&frames, 0)?)
    }

    /// The newline embedding `[1, hidden]`.
    pub fn newline(&self) -> Result<Tensor> {
        Ok(self.newline.unsqueeze(0)?)
    }
}
