//! Everything that a checkpoint's configuration files say, in one form for all families and layouts.

mod decoder;
pub(crate) mod keys;
mod pixels;

pub(crate) use decoder::{LLAMA, QWEN2, nested_decoder, read_decoder};
pub(crate) use pixels::{MeanStd, ProcessorFiles};

use crate::decoder::DecoderConfig;
use crate::family::Family;
use crate::json::Json;
use crate::merger::MergerConfig;
use crate::processor::PixelSettings;
use crate::vision::SiglipConfig;
use crate::{ModelError, Result};
use longsight_method::{
    Grid, ModelShape, NewlineMode, PoolMode, PoolPlan, PoolSpec, RopeSettings, RopeShape, TowerShape,
};
use std::path::Path;
use std::sync::Arc;

/// Largest size that is believed.
const MAX_SIZE: usize = 1 << 24;

/// The configuration of a checkpoint.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// What the checkpoint's family adds.
    pub family: Arc<dyn Family>,
    /// The language model.
    pub decoder: DecoderConfig,
    /// What turns frames into visual tokens; None: a language model alone. [`Self::vision`] asks for it.
    pub vision: Option<VisionConfig>,
    /// End-of-sequence ids of config.json and generation_config.json.
    pub eos_token_ids: Vec<u32>,
    /// The longest run of visual tokens in training (spec of the family, or the checkpoint's own `longsight` entry).
    pub visual_window_tokens: usize,
    /// Where the visual window comes from, for the receipt.
    pub visual_window_source: String,
    /// alpha and beta of the RoPE ramp, where the checkpoint's `longsight` entry gives them.
    pub ramp: Option<(f64, f64)>,
    /// Query heads of the decoder, as (layer, head), whose attention tells what an answer rests on, where the checkpoint's
    /// `longsight` entry names them.
    pub evidence_heads: Option<Vec<(usize, usize)>>,
    /// What was read and not followed, for the receipt.
    pub warnings: Vec<String>,
}

/// From frames to visual tokens.
#[derive(Debug, Clone)]
pub struct VisionConfig {
    /// The tower.
    pub tower: SiglipConfig,
    /// From patch features to visual tokens of the decoder's width.
    pub merger: MergerConfig,
    /// How frames are resized and normalised.
    pub pixels: PixelSettings,
    /// How visual tokens are pooled.
    pub pool_mode: PoolMode,
    /// The pooling where none is asked for.
    pub usual_pool: PoolSpec,
    /// Where newline embeddings go.
    pub newline: NewlineMode,
}

impl VisionConfig {
    /// A unit's visual tokens before pooling.
    pub fn grid(&self) -> Grid {
        self.merger.grid(self.tower.grid())
    }

    /// The pool plan of `units` units. `stills` are still images, each of which ends with a newline of its own where the
    /// family has newlines (LLaVA-NeXT, a single patch under `spatial_unpad`).
    pub fn pool_plan(&self, units: usize, spec: PoolSpec, stills: bool) -> Result<PoolPlan> {
        let newline = match self.newline {
            NewlineMode::None => NewlineMode::None,
            _ if stills => NewlineMode::Frame,
            newline => newline,
        };
        Ok(PoolPlan::new(self.grid(), units, spec, self.pool_mode, newline)?)
    }

    fn shape(&self, hidden: usize) -> TowerShape {
        let tower = &self.tower;
        TowerShape {
            layers: tower.layers,
            width: tower.hidden,
            mlp: tower.intermediate,
            patches: tower.grid().tokens(),
            pixel_values: 3 * tower.image_side * tower.image_side,
            merged_tokens: self.grid().tokens(),
            merger_multiply_adds: self.merger.multiply_adds(tower.grid(), tower.hidden, hidden),
        }
    }
}

impl ModelConfig {
    /// The configuration of `family`, with what the files around config.json say left to [`Self::complete`].
    /// `window` is the family's longest run of visual tokens in training.
    pub(crate) fn new(
        family: Arc<dyn Family>,
        decoder: DecoderConfig,
        vision: impl Into<Option<VisionConfig>>,
        visual_window_tokens: usize,
    ) -> Self {
        let visual_window_source = format!("{} training", family.name());
        Self {
            family,
            decoder,
            vision: vision.into(),
            eos_token_ids: Vec::new(),
            visual_window_tokens,
            visual_window_source,
            ramp: None,
            evidence_heads: None,
            warnings: Vec::new(),
        }
    }

    /// What turns frames into visual tokens.
    ///
    /// # Errors
    /// A language model alone.
    pub fn vision(&self) -> Result<&VisionConfig> {
        self.vision.as_ref().ok_or_else(sees_no_video)
    }

    /// Adds what is the same in every family: end-of-sequence ids of both files, and the `longsight` object.
    pub(crate) fn complete(mut self, folder: &Path, json: &Json) -> Result<Self> {
        self.read_generation(folder, json)?;
        self.read_longsight(json)?;
        for (name, kind) in
            [("generation_config.json", keys::GENERATION), ("tokenizer_config.json", keys::TOKENIZER)]
        {
            let path = folder.join(name);
            if path.exists() {
                self.warnings.extend(kind.check(&Json::read(&path)?)?);
            }
        }
        Ok(self)
    }

    /// End-of-sequence ids of both files.
    fn read_generation(&mut self, folder: &Path, json: &Json) -> Result<()> {
        let mut ids = json.ids("eos_token_id")?;
        ids.extend(json.at_or_empty("text_config")?.ids("eos_token_id")?);
        let generation = folder.join("generation_config.json");
        if generation.exists() {
            ids.extend(Json::read(&generation)?.ids("eos_token_id")?);
        }
        ids.sort_unstable();
        ids.dedup();
        self.eos_token_ids = ids;
        Ok(())
    }

    /// The optional `longsight` object of config.json: `visual_window_tokens`, `alpha`, `beta`, `evidence_heads`.
    fn read_longsight(&mut self, json: &Json) -> Result<()> {
        let Some(own) = json.at("longsight")? else { return Ok(()) };
        if own.has("visual_window_tokens") {
            self.visual_window_tokens = own.size("visual_window_tokens", 0)?;
            self.visual_window_source = "config.json".into();
        }
        if !(1..=MAX_SIZE).contains(&self.visual_window_tokens) {
            return Err(json.error(format!("longsight.visual_window_tokens must be from 1 to {MAX_SIZE}")));
        }
        let (alpha, beta) = (own.number("alpha")?, own.number("beta")?);
        if alpha.is_some() || beta.is_some() {
            let usual = RopeSettings::default();
            let (alpha, beta) = (alpha.unwrap_or(usual.alpha), beta.unwrap_or(usual.beta));
            if !(0.0 < alpha && alpha < beta) {
                return Err(json.error("longsight.alpha must be above 0 and below longsight.beta"));
            }
            self.ramp = Some((alpha, beta));
        }
        self.evidence_heads = own.pairs("evidence_heads")?;
        let decoder = &self.decoder;
        let known = |(layer, head): &(usize, usize)| *layer < decoder.layers && *head < decoder.heads;
        if !self.evidence_heads.iter().flatten().all(known) {
            return Err(json.error("longsight.evidence_heads names a head that the decoder does not have"));
        }
        Ok(())
    }

    /// What the RoPE plan needs. `visual` and `language` override the windows.
    pub fn rope_shape(&self, visual: Option<usize>, language: Option<usize>) -> RopeShape {
        RopeShape {
            head_dim: self.decoder.head_dim,
            theta: self.decoder.rope_theta,
            visual_window_tokens: visual.unwrap_or(self.visual_window_tokens),
            language_window_tokens: language.unwrap_or(self.decoder.max_positions),
        }
    }

    /// Sizes for the budget; `weights_bytes` as they will lie in memory, `vocab` as the file has it.
    pub fn model_shape(&self, weights_bytes: u64, vocab: usize) -> ModelShape {
        let decoder = &self.decoder;
        ModelShape {
            kv: decoder.kv_shape(),
            hidden: decoder.hidden,
            heads: decoder.heads,
            mlp: decoder.intermediate,
            vocab,
            tower: self.vision.as_ref().map_or(NO_TOWER, |vision| vision.shape(decoder.hidden)),
            weights_bytes,
        }
    }
}

/// What a language model alone has of one.
const NO_TOWER: TowerShape = TowerShape {
    layers: 0,
    width: 0,
    mlp: 0,
    patches: 0,
    pixel_values: 0,
    merged_tokens: 0,
    merger_multiply_adds: 0,
};

/// The one answer to whoever shows a video to a language model alone.
pub(crate) fn sees_no_video() -> ModelError {
    ModelError::Argument(
        "this checkpoint is a language model alone: it sees no video; name a whole checkpoint, or talk to it with `longsight chat` and no video"
            .into(),
    )
}

/// What is wrong with numbers that no model has, before anything divides by them or allocates.
pub(crate) fn check_sizes(t: &DecoderConfig, v: Option<&SiglipConfig>) -> Result<(), &'static str> {
    let text = [t.hidden, t.intermediate, t.layers, t.heads, t.kv_heads, t.head_dim, t.max_positions];
    let vision = v.map(|v| [v.hidden, v.intermediate, v.layers, v.heads, v.image_side, v.patch_side]);
    if text.iter().chain(vision.iter().flatten()).any(|n| !(1..=MAX_SIZE).contains(n)) {
        return Err("a size is 0 or absurd; is this the checkpoint's own config?");
    }
    let fits = |v: &SiglipConfig| v.hidden.is_multiple_of(v.heads) && v.patch_side <= v.image_side;
    if !t.heads.is_multiple_of(t.kv_heads) || !t.head_dim.is_multiple_of(2) || !v.is_none_or(fits) {
        return Err("head counts, head_dim or patch size do not fit together");
    }
    if !(t.rope_theta.is_finite() && t.rope_theta > 1.0) {
        return Err("rope_theta must be a number above 1");
    }
    if ![Some(t.eps), v.map(|v| v.eps)].iter().flatten().all(|eps| (0.0..1.0).contains(eps)) {
        return Err("the norms' eps must be from 0 to 1");
    }
    Ok(())
}
