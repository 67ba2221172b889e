//! LLaVA-OneVision and LLaVA-Video: SigLIP, a two-layer projector, Qwen2.

mod hf;
mod lmms;
mod names;

use crate::Result;
use crate::config::{MeanStd, ModelConfig, ProcessorFiles, VisionConfig, check_sizes, keys};
use crate::decoder::DecoderConfig;
use crate::family::{Family, Shown, VisualText};
use crate::json::Json;
use crate::merger::MergerConfig;
use crate::processor::{Conversation, FrameFit, PLACEHOLDER, PixelSettings};
use crate::vision::SiglipConfig;
use crate::weights::Spelling;
use longsight_method::{NewlineMode, PoolMode, PoolPlan, PoolSpec};
use std::path::Path;
use std::sync::Arc;

/// What [`read`] reads, for messages.
pub(super) const MODEL_TYPES: &str =
    "llava_onevision, and llava with LlavaQwenForCausalLM (LLaVA-OneVision, LLaVA-Video)";

const SYSTEM: &str = "You are a helpful assistant.";

/// The form that transformers' 4.45.2 converter wrote for llava-hf checkpoints.
const CONVERTER_TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n\
    {% for part in message.content %}{% if part.type == 'video' %}<video>\n{% endif %}{% endfor %}\
    {% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n\
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// The two models of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Llava {
    /// LLaVA-OneVision: one newline after the last frame.
    OneVision,
    /// LLaVA-Video: a newline after each row of each frame, and a sentence that tells the frames' times.
    Video,
}

impl Family for Llava {
    fn name(&self) -> &str {
        match self {
            Self::OneVision => "LLaVA-OneVision",
            Self::Video => "LLaVA-Video",
        }
    }

    fn spellings(&self) -> &'static [Spelling] {
        names::SPELLINGS
    }

    fn end_of_turn(&self) -> &'static str {
        "<|im_end|>"
    }

    /// `qwen_1_5`, with its system turn.
    fn render(&self, conversation: &Conversation<'_>) -> String {
        let system = conversation.system.unwrap_or(SYSTEM);
        let mut text = format!("<|im_start|>system\n{system}<|im_end|>\n");
        for (i, turn) in conversation.turns.iter().enumerate() {
            let role = turn.role.name();
            let video = match i {
                0 if conversation.frames_inline => PLACEHOLDER.to_owned(),
                0 => format!("{PLACEHOLDER}\n"),
                _ => String::new(),
            };
            text.push_str(&format!("<|im_start|>{role}\n{video}{}<|im_end|>\n", turn.content));
        }
        text.push_str("<|im_start|>assistant\n");
        text
    }

    fn usual_template(&self) -> Option<&'static str> {
        Some(CONVERTER_TEMPLATE)
    }

    fn text(&self, shown: &Shown<'_>) -> VisualText {
        let preamble = match (self, shown) {
            (Self::Video, Shown::Video { duration_secs, times_secs }) => {
                time_instruction(*duration_secs, times_secs)
            }
            _ => String::new(),
        };
        VisualText { preamble, ..VisualText::default() }
    }
}

/// The sentence that LLaVA-Video was trained with (LLaVA-NeXT `llava/train/train.py`).
fn time_instruction(duration_secs: f64, times_secs: &[f64]) -> String {
    let times: Vec<_> = times_secs.iter().map(|secs| format!("{secs:.2}s")).collect();
    format!(
        "The video lasts for {duration_secs:.2} seconds, and {} frames are uniformly sampled from it. These frames are located at {}.Please answer the following questions related to this video.\n",
        times.len(),
        times.join(",")
    )
}

/// Reads a config of either layout.
pub(super) fn read(folder: &Path, json: &Json) -> Result<Option<ModelConfig>> {
    let parts = match json.text("model_type")?.unwrap_or("") {
        "llava_onevision" => hf::read(json)?,
        "llava" | "llava_qwen" if lmms::is_qwen(json) => lmms::read(json)?,
        _ => return Ok(None),
    };
    let Parts { family, decoder, tower, pool_mode, newline, mut warnings } = parts;
    check_sizes(&decoder, Some(&tower)).map_err(|wrong| json.error(wrong))?;
    let window =
        trained_window(family, &tower, pool_mode, decoder.hidden).map_err(|e| json.error(e.to_string()))?;
    let pixels = pixel_settings(folder, &tower, &mut warnings)?;
    let vision = VisionConfig {
        tower,
        merger: MergerConfig::Mlp,
        pixels,
        pool_mode,
        usual_pool: PoolSpec::default(),
        newline,
    };
    let config = ModelConfig::new(Arc::new(family), decoder, vision, window);
    Ok(Some(ModelConfig { warnings, ..config }))
}

/// What a layout's config says.
struct Parts {
    family: Llava,
    decoder: DecoderConfig,
    tower: SiglipConfig,
    pool_mode: PoolMode,
    newline: NewlineMode,
    warnings: Vec<String>,
}

/// The visual window in training, derived from the grid: frames x tokens of a frame at stride 2.
/// LLaVA-OneVision 32 x 196 = 6,272; LLaVA-Video 64 x 210 (bilinear) or 64 x 182 (average), 72B 32 x 210 - with the row
/// newlines, as published.
fn trained_window(family: Llava, tower: &SiglipConfig, mode: PoolMode, hidden: usize) -> Result<usize> {
    let frames = match family {
        Llava::OneVision => 32,
        Llava::Video if hidden >= 8192 => 32,
        Llava::Video => 64,
    };
    let newline = if family == Llava::Video { NewlineMode::Grid } else { NewlineMode::OneToken };
    let plan = PoolPlan::new(tower.grid(), frames, PoolSpec::Uniform { stride: 2 }, mode, newline)?;
    Ok(plan.window_tokens())
}

/// A SigLIP config; the defaults are LLaVA-OneVision's tower (transformers 4.45.2 says 14 heads, which is wrong).
fn vision_config(json: &Json, warnings: &mut Vec<String>) -> Result<SiglipConfig> {
    let d = SiglipConfig::default();
    warnings.extend(keys::SIGLIP.check(json)?);
    Ok(SiglipConfig {
        hidden: json.size("hidden_size", d.hidden)?,
        intermediate: json.size("intermediate_size", d.intermediate)?,
        layers: json.size("num_hidden_layers", d.layers)?,
        heads: json.size("num_attention_heads", d.heads)?,
        image_side: json.size("image_size", d.image_side)?,
        patch_side: json.size("patch_size", d.patch_side)?,
        eps: json.number("layer_norm_eps")?.unwrap_or(d.eps),
        post_norm: false,
    })
}

/// The first processor settings with mean and std; their resize target must be the tower's input.
fn pixel_settings(folder: &Path, tower: &SiglipConfig, warnings: &mut Vec<String>) -> Result<PixelSettings> {
    let side = tower.image_side;
    let files = ProcessorFiles::read(folder, [keys::LLAVA_PIXELS, keys::SQUARE], warnings)?;
    let first = files.first(warnings)?;
    if let Some((.., json)) = &first {
        let size = json.at_or_empty("size")?;
        if size.size("height", side)? != side || size.size("width", side)? != side {
            return Err(json.error(format!("resizes to another size than the tower's {side} x {side}")));
        }
    }
    let source = first.as_ref().map(|(name, ..)| (*name).to_owned());
    let MeanStd { mean, std } = first.map_or_else(MeanStd::of_training, |(_, own, _)| own);
    Ok(PixelSettings { mean, std, source, side, video_fit: FrameFit::Stretch, still_fit: FrameFit::Pad })
}
