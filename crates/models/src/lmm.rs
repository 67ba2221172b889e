//! A checkpoint of any family as one model: tower, merger, decoder, tokenizer. First described (configuration and headers, enough
//! to plan a run), then loaded.

use crate::adapter::Adapters;
use crate::backend::Backend;
use crate::config::{ModelConfig, VisionConfig, sees_no_video};
use crate::decoder::Decoder;
use crate::merger::Merger;
use crate::parts::Parts;
use crate::pool::pool_unit;
use crate::processor::{ChatTemplate, Preprocessor, TextTokenizer};
use crate::vision::Siglip;
use crate::weights::{Checkpoint, Dtypes, NameMap, StoredMatrices, TensorInfo, WeightDtype, Weights};
use crate::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
use longsight_method::{ModelShape, NewlineMode, PoolPlan};
use std::collections::BTreeMap;
use std::path::Path;

/// How a checkpoint is loaded.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// Where tensors live.
    pub device: Device,
    /// What the language model's weights become; None keeps the checkpoint's own dtype.
    pub dtype: Option<WeightDtype>,
    /// What the tower's and the merger's weights become; None follows [`Dtypes::resolve`].
    pub vision_dtype: Option<WeightDtype>,
    /// Who computes; None takes the device's usual backend, [`Backend::of_device`].
    pub backend: Option<Backend>,
    /// Low-rank terms of linear layers.
    pub adapters: Adapters,
}

impl Default for LoadSettings {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            dtype: None,
            vision_dtype: None,
            backend: None,
            adapters: Adapters::default(),
        }
    }
}

/// A loaded model.
pub struct Lmm {
    info: ModelInfo,
    vision: Option<Vision>,
    decoder: Decoder,
    device: Device,
    backend: Backend,
}

/// What turns frames into visual tokens.
struct Vision {
    preprocessor: Preprocessor,
    tower: Siglip,
    merger: Merger,
    newline: Option<Tensor>,
}

/// All of a model but its weights: enough to plan a run.
pub struct ModelInfo {
    /// The configuration.
    pub config: ModelConfig,
    /// Turns text into ids.
    pub tokenizer: TextTokenizer,
    /// Turns a conversation into text.
    pub template: ChatTemplate,
    /// What the weights will be.
    pub dtypes: Dtypes,
    /// Type of cached keys and values: the language model's, or f16 where that is quantized.
    pub dtype: DType,
    /// Bytes of the weights in those dtypes (norms stay f32).
    pub weights_bytes: u64,
    /// Matrices by what they are stored as: not all rows fit the blocks of every dtype.
    pub matrices: Vec<StoredMatrices>,
    /// Rows of the embedding table.
    pub vocabulary: usize,
}

impl ModelInfo {
    /// Sizes for the budget.
    pub fn shape(&self) -> ModelShape {
        self.config.model_shape(self.weights_bytes, self.vocabulary)
    }
}

/// A checkpoint folder whose configuration, tokenizer and headers are read, and whose weights are not.
pub struct Description {
    /// What was read.
    pub info: ModelInfo,
    pub(crate) checkpoint: Checkpoint,
    names: NameMap,
    backend: Option<Backend>,
    adapters: Adapters,
}

impl Description {
    /// Reads configuration, tokenizer and the weights' headers of a folder, or of a GGUF file that is a checkpoint by itself.
    pub fn read(path: &Path, settings: &LoadSettings) -> Result<Self> {
        let Parts { mut config, tokenizer, template, checkpoint, names } = Parts::read(path)?;
        let dtypes = dtypes(&checkpoint, &names, settings)?;
        let dtypes =
            Dtypes { vision: config.vision.as_ref().map_or(dtypes.text, |_| dtypes.vision), ..dtypes };
        let dtype = dtypes.text.float().unwrap_or(DType::F16);
        let embedding = checkpoint.info(&names.on_disk("text.embed_tokens.weight"));
        let vocabulary = embedding.and_then(|i| i.shape.first().copied()).unwrap_or(0);
        if vocabulary != 0 && vocabulary < tokenizer.vocabulary() {
            config.warnings.push(format!(
                "the tokenizer knows {} tokens, the model {vocabulary}: special tokens beyond are not usable",
                tokenizer.vocabulary()
            ));
        }
        let (weights_bytes, matrices) = loaded_bytes(&kept_tensors(&checkpoint, &names, &config, dtypes));
        let info =
            ModelInfo { config, tokenizer, template, dtypes, dtype, weights_bytes, matrices, vocabulary };
        let LoadSettings { backend, adapters, .. } = settings.clone();
        Ok(Self { info, checkpoint, names, backend, adapters })
    }

    /// The tensors that loading keeps, by name in the file; matrices with what they become.
    pub(crate) fn stored_tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo, Option<WeightDtype>)> {
        let kept = kept_tensors(&self.checkpoint, &self.names, &self.info.config, self.info.dtypes);
        kept.into_iter().map(|(name, info, dtype, matrix)| (name, info, matrix.then_some(dtype)))
    }
}

/// What the weights become. Quantized weights are what they are: another dtype needs the original checkpoint.
fn dtypes(checkpoint: &Checkpoint, names: &NameMap, settings: &LoadSettings) -> Result<Dtypes> {
    let stored = |vision| checkpoint.quantized_dtype(|name| names.is_vision(name) == vision);
    let kept = |asked: Option<WeightDtype>, stored: Option<WeightDtype>| match (asked, stored) {
        (Some(asked), Some(stored)) if asked != stored => Err(ModelError::Argument(format!(
            "{}: its weights are quantized to {stored}; for {asked} name the original checkpoint",
            checkpoint.folder().display()
        ))),
        (asked, stored) => Ok(asked.or(stored)),
    };
    let text = kept(settings.dtype, stored(false))?;
    let as_written = || {
        let floats = checkpoint.was_written_quantized();
        let matrix = |name: &str, info: &TensorInfo| names.is_vision(name) && is_matrix(name, info, names);
        floats.then(|| checkpoint.float_dtype(matrix).into())
    };
    let vision = kept(settings.vision_dtype, stored(true))?.or_else(as_written);
    Ok(Dtypes::resolve(text, vision, checkpoint.dtype().into()))
}

/// The tensors that loading keeps: name in the file, place, and dtype; matrices are marked.
fn kept_tensors<'a>(
    checkpoint: &'a Checkpoint,
    names: &NameMap,
    config: &ModelConfig,
    dtypes: Dtypes,
) -> Vec<(&'a str, &'a TensorInfo, WeightDtype, bool)> {
    let mut unused = Vec::new();
    if config.vision.as_ref().is_some_and(|vision| !vision.tower.post_norm) {
        unused.extend(["weight", "bias"].map(|name| names.on_disk(&format!("vision.post_layernorm.{name}"))));
    }
    let kept = checkpoint.names().filter(|n| !unused.iter().any(|u| u == n));
    kept.filter_map(|name| {
        let info = checkpoint.info(name)?;
        let dtype = if names.is_vision(name) { dtypes.vision } else { dtypes.text };
        Some((name, info, dtype, is_matrix(name, info, names)))
    })
    .collect()
}

/// Whether a tensor is multiplied by: such tensors take the dtype asked for.
fn is_matrix(name: &str, info: &TensorInfo, names: &NameMap) -> bool {
    info.shape.len() == 2 && name != names.on_disk("vision.embeddings.position_embedding.weight")
}

/// Bytes of all tensors that loading keeps, and how the matrices among them are stored.
fn loaded_bytes(tensors: &[(&str, &TensorInfo, WeightDtype, bool)]) -> (u64, Vec<StoredMatrices>) {
    let mut total_bytes = 0;
    let mut matrices: BTreeMap<WeightDtype, StoredMatrices> = BTreeMap::new();
    for &(_, info, dtype, matrix) in tensors {
        let kept = info.format.map_or(dtype, WeightDtype::of);
        let bytes = kept.bytes(&info.shape, matrix);
        total_bytes += bytes;
        if let ([_, inputs], true) = (&info.shape[..], matrix) {
            let dtype = kept.format(*inputs).map_or(kept, WeightDtype::of);
            let entry = matrices.entry(dtype).or_insert(StoredMatrices { dtype, count: 0, bytes: 0 });
            entry.count += 1;
            entry.bytes += bytes;
        }
    }
    (total_bytes, matrices.into_values().collect())
}

impl Vision {
    fn load(weights: &Weights<'_>, config: &VisionConfig, info: &ModelInfo) -> Result<Self> {
        let below = weights.with_dtype(info.dtypes.vision);
        let (tower_config, hidden) = (&config.tower, info.config.decoder.hidden);
        let tower = Siglip::load(&below.below("vision"), tower_config)?;
        let (patches, width) = (tower_config.grid(), tower_config.hidden);
        let merger = Merger::load(&below.below("merger"), config.merger, patches, width, hidden)?;
        let newline = match config.newline {
            NewlineMode::None if !weights.has("newline") => None,
            _ => Some(weights.get_f32("newline", &[hidden])?),
        };
        Ok(Self { preprocessor: Preprocessor::new(&config.pixels), tower, merger, newline })
    }
}

impl Lmm {
    /// Loads the checkpoint in `folder`, or the GGUF file that is one by itself.
    ///
    /// # Errors
    /// Missing, unused or misshapen tensors (named), truncated files, another family's config, a bad tokenizer.
    pub fn load(folder: &Path, settings: &LoadSettings) -> Result<Self> {
        Self::from_description(Description::read(folder, settings)?, &settings.device)
    }

    /// Loads the weights that `description` announced.
    pub fn from_description(description: Description, device: &Device) -> Result<Self> {
        let Description { info, checkpoint, names, backend, adapters } = description;
        let backend = backend.unwrap_or(Backend::of_device(device));
        backend.check_device(device)?;
        let config = &info.config;
        let weights = Weights::new(&checkpoint, &names, info.dtypes.text, device)
            .with_backend(backend)
            .with_adapters(&adapters);
        let vision = config.vision.as_ref();
        let vision = vision.map(|vision| Vision::load(&weights, vision, &info)).transpose()?;
        let decoder = Decoder::load(&weights.below("text"), &weights.below("head"), &config.decoder)?;
        weights.finish()?;
        Ok(Self { info, vision, decoder, device: device.clone(), backend })
    }

    /// All but the weights.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.info.config
    }

    fn vision(&self) -> Result<&Vision> {
        self.vision.as_ref().ok_or_else(sees_no_video)
    }

    /// The vision tower; an error where there is none.
    pub fn tower(&self) -> Result<&Siglip> {
        Ok(&self.vision()?.tower)
    }

    /// From the tower's features to visual tokens; an error where there is no tower.
    pub fn merger(&self) -> Result<&Merger> {
        Ok(&self.vision()?.merger)
    }

    /// The language model.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.info.tokenizer
    }

    /// The chat template.
    pub fn template(&self) -> &ChatTemplate {
        &self.info.template
    }

    /// Frames to pixels; an error where there is no tower.
    pub fn preprocessor(&self) -> Result<&Preprocessor> {
        Ok(&self.vision()?.preprocessor)
    }

    /// Type of cached keys and values.
    pub fn dtype(&self) -> DType {
        self.info.dtype
    }

    /// Where the model runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Who computes.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Visual tokens before pooling, `[frames, tokens, hidden]`, of `pixels` `[frames, 3, side, side]`, normalised.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        let vision = self.vision()?;
        vision.merger.forward(&vision.tower.forward(pixels)?)
    }

    /// Visual tokens `[tokens, hidden]` of unit `ordinal` of `plan`, with the newlines inside its span, from its features
    /// `[tokens before pooling, hidden]`.
    pub fn pool(&self, features: &Tensor, plan: &PoolPlan, ordinal: usize) -> Result<Tensor> {
        pool_unit(plan, ordinal, features, self.vision()?.newline.as_ref())
    }

    /// Visual tokens `[tokens, hidden]` of units `first..`, pooled as `plan` says, with the newlines inside their spans.
    /// `pixels` `[frames, 3, side, side]`, normalised.
    pub fn visual_tokens(&self, pixels: &Tensor, plan: &PoolPlan, first: usize) -> Result<Tensor> {
        let features = self.features(pixels)?;
        let units = (0..pixels.dim(0)?)
            .map(|i| self.pool(&features.get(i)?, plan, first + i))
            .collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&units, 0)?)
    }

    /// The newline embedding `[1, hidden]`, where the model has one.
    pub fn newline(&self) -> Result<Tensor> {
        match &self.vision()?.newline {
            Some(newline) => Ok(newline.unsqueeze(0)?),
            None => Err(ModelError::Argument("this model has no newline embedding".into())),
        }
    }
}
