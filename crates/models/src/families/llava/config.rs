use super::json::Json;
use super::{hf, lmms};
use crate::Result;
use crate::text::Qwen2Config;
use crate::vision::SiglipConfig;
use longsight_method::{
    ModelShape, NewlineMode, PoolMode, PoolPlan, PoolSpec, RopeSettings, RopeShape, TowerShape,
};
use std::path::Path;

/// Largest size that is believed.
const MAX_SIZE: usize = 1 << 24;

/// Which model family a checkpoint belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// LLaVA-OneVision: one newline after the last frame.
    OneVision,
    /// LLaVA-Video: a newline after each row of each frame, and a sentence that tells the frames' times.
    Video,
}

impl Family {
    /// The family's published name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneVision => "LLaVA-OneVision",
            Self::Video => "LLaVA-Video",
        }
    }
}

/// How resized pixels become numbers, per channel: (x / 255 - mean) / std.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelSettings {
    /// Red, green, blue.
    pub mean: [f32; 3],
    /// Red, green, blue.
    pub std: [f32; 3],
    /// The file that says so; None: the checkpoint has none, 0.5 is used as in training.
    pub source: Option<String>,
}

/// Everything that a checkpoint's configuration files say, in one form for all layouts.
#[derive(Debug, Clone)]
pub struct LlavaConfig {
    /// The family.
    pub family: Family,
    /// The language model.
    pub text: Qwen2Config,
    /// The vision tower.
    pub vision: SiglipConfig,
    /// How frames are pooled.
    pub pool_mode: PoolMode,
    /// Where newline embeddings go.
    pub newline: NewlineMode,
    /// Normalisation of pixels.
    pub pixels: PixelSettings,
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

impl LlavaConfig {
    /// Reads `config.json` and what lies beside it.
    ///
    /// # Errors
    /// Another family's config (named), a missing or malformed file, or a setting that is not supported.
    pub fn read(folder: &Path) -> Result<Self> {
        let json = Json::read(&folder.join("config.json"))?;
        let mut config = match json.text("model_type")?.unwrap_or("") {
            "llava_onevision" => hf::read(&json)?,
            "llava" | "llava_qwen" if lmms::is_qwen(&json) => lmms::read(&json)?,
            other => {
                return Err(json.error(format!(
                    "model_type `{other}` is another family; longsight runs llava_onevision, and llava with LlavaQwenForCausalLM (LLaVA-OneVision, LLaVA-Video)"
                )));
            }
        };
        config.pixels = hf::pixel_settings(folder, &config.vision)?;
        config.read_generation(folder, &json)?;
        config.read_longsight(&json)?;
        Ok(config)
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
        let known = |(layer, head): &(usize, usize)| *layer < self.text.layers && *head < self.text.heads;
        if !self.evidence_heads.iter().flatten().all(known) {
            return Err(json.error("longsight.evidence_heads names a head that the decoder does not have"));
        }
        Ok(())
    }

    /// What the RoPE plan needs. `visual` and `language` override the windows.
    pub fn rope_shape(&self, visual: Option<usize>, language: Option<usize>) -> RopeShape {
        RopeShape {
            head_dim: self.text.head_dim,
            theta: self.text.rope_theta,
            visual_window_tokens: visual.unwrap_or(self.visual_window_tokens),
            language_window_tokens: language.unwrap_or(self.text.max_positions),
        }
    }

    /// The pool plan of `frames` frames.
    pub fn pool_plan(&self, frames: usize, spec: PoolSpec) -> Result<PoolPlan> {
        Ok(PoolPlan::new(self.vision.grid_side(), frames, spec, self.pool_mode, self.newline)?)
    }

    /// The pool plan of `frames` still images, each of which ends with a newline of its own (LLaVA-NeXT, a single patch
    /// under `spatial_unpad`).
    pub fn still_pool_plan(&self, frames: usize, spec: PoolSpec) -> Result<PoolPlan> {
        let newline = if self.newline == NewlineMode::None { NewlineMode::None } else { NewlineMode::Frame };
        Ok(PoolPlan::new(self.vision.grid_side(), frames, spec, self.pool_mode, newline)?)
    }

    /// Sizes for the budget; `weights_bytes` as they will lie in memory, `vocab` as the file has it.
    pub fn model_shape(&self, weights_bytes: u64, vocab: usize) -> ModelShape {
        let (t, v) = (&self.text, &self.vision);
        ModelShape {
            layers: t.layers,
            hidden: t.hidden,
            heads: t.heads,
            kv_heads: t.kv_heads,
            head_dim: t.head_dim,
            mlp: t.intermediate,
            vocab,
            tower: TowerShape {
                layers: v.layers,
                width: v.hidden,
                mlp: v.intermediate,
                heads: v.heads,
                patches: v.patches(),
                image_side: v.image_side,
            },
            weights_bytes,
        }
    }
}

/// The visual window of a family in training, derived from its grid: frames x tokens of a frame at stride 2.
/// LLaVA-OneVision 32 x 196 = 6,272; LLaVA-Video 64 x 210 (bilinear) or 64 x 182 (average), 72B 32 x 210 - with the row
/// newlines, as published.
fn family_window(family: Family, grid_side: usize, mode: PoolMode, text_hidden: usize) -> Result<usize> {
    let frames = match family {
        Family::OneVision => 32,
        Family::Video if text_hidden >= 8192 => 32,
        Family::Video => 64,
    };
    let newline = if family == Family::Video { NewlineMode::Grid } else { NewlineMode::OneToken };
    let plan = PoolPlan::new(grid_side, frames, PoolSpec::Uniform { stride: 2 }, mode, newline)?;
    Ok(plan.window_tokens())
}

/// Refuses numbers that no model has, before anything divides by them or allocates.
fn check(json: &Json, t: &Qwen2Config, v: &SiglipConfig) -> Result<()> {
    let text = [t.hidden, t.intermediate, t.layers, t.heads, t.kv_heads, t.head_dim, t.max_positions];
    let vision = [v.hidden, v.intermediate, v.layers, v.heads, v.image_side, v.patch_side];
    if text.iter().chain(&vision).any(|n| !(1..=MAX_SIZE).contains(n)) {
        return Err(json.error("a size is 0 or absurd; is this the checkpoint's own config?"));
    }
    if !t.heads.is_multiple_of(t.kv_heads)
        || !t.head_dim.is_multiple_of(2)
        || !v.hidden.is_multiple_of(v.heads)
        || v.patch_side > v.image_side
    {
        return Err(json.error("head counts, head_dim or patch size do not fit together"));
    }
    if !(t.rope_theta.is_finite() && t.rope_theta > 1.0) {
        return Err(json.error("rope_theta must be a number above 1"));
    }
    if ![t.eps, v.eps].iter().all(|eps| (0.0..1.0).contains(eps)) {
        return Err(json.error("the norms' eps must be from 0 to 1"));
    }
    Ok(())
}

/// Builds the config both layouts share, with what later steps fill in left empty.
pub(super) fn assemble(
    json: &Json,
    family: Family,
    text: Qwen2Config,
    vision: SiglipConfig,
    (pool_mode, newline): (PoolMode, NewlineMode),
    warnings: Vec<String>,
) -> Result<LlavaConfig> {
    check(json, &text, &vision)?;
    let visual_window_tokens = family_window(family, vision.grid_side(), pool_mode, text.hidden)
        .map_err(|e| json.error(e.to_string()))?;
    Ok(LlavaConfig {
        family,
        text,
        vision,
        pool_mode,
        newline,
        pixels: PixelSettings { mean: [0.5; 3], std: [0.5; 3], source: None },
        eos_token_ids: Vec::new(),
        visual_window_tokens,
        visual_window_source: format!("{} training", family.name()),
        ramp: None,
        evidence_heads: None,
        warnings,
    })
}
