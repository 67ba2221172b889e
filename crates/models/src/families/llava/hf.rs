//! The llava-hf layout: nested configs, keys equal to transformers' class defaults left out.

use super::config::{Family, LlavaConfig, PixelSettings, assemble};
use super::json::Json;
use crate::Result;
use crate::text::Qwen2Config;
use crate::vision::SiglipConfig;
use longsight_method::{NewlineMode, PoolMode};
use std::path::Path;

pub(super) fn read(json: &Json) -> Result<LlavaConfig> {
    let text_json = json.at_or_empty("text_config")?;
    text_json.expect("model_type", "qwen2")?;
    let tied = text_json.flag("tie_word_embeddings")?.or(json.flag("tie_word_embeddings")?).unwrap_or(false);
    let text = text_config(&text_json, tied)?;
    if let Some(kind) = rope_scaling(&text_json)? {
        return Err(json.error(format!(
            "RoPE scaling `{kind}` in text_config would be applied twice; remove it: longsight sets its own (--context)"
        )));
    }
    let vision = vision_config(&json.at_or_empty("vision_config")?)?;
    json.expect("projector_hidden_act", "gelu")?;
    json.expect("vision_feature_select_strategy", "full")?;
    let layer = json.number("vision_feature_layer")?.unwrap_or(-1.0);
    if layer != -1.0 {
        return Err(json.error(format!("vision_feature_layer {layer} is not supported, only -1")));
    }
    if json.flag("multimodal_projector_bias")? == Some(false) {
        return Err(json.error("a projector without bias is not supported"));
    }
    assemble(json, Family::OneVision, text, vision, (PoolMode::Bilinear, NewlineMode::OneToken), Vec::new())
}

/// The kind of RoPE scaling in either spelling of the RoPE settings, where it is not the default (none).
fn rope_scaling(json: &Json) -> Result<Option<String>> {
    for key in ["rope_parameters", "rope_scaling"] {
        let Some(rope) = json.at(key)? else { continue };
        let kind = rope.text("rope_type")?.or(rope.text("type")?);
        if let Some(kind) = kind.filter(|kind| *kind != "default") {
            return Ok(Some(kind.to_owned()));
        }
    }
    Ok(None)
}

/// A Qwen2 config; the defaults are transformers' Qwen2Config's.
pub(super) fn text_config(json: &Json, tied_head: bool) -> Result<Qwen2Config> {
    let hidden = json.size("hidden_size", 4096)?;
    let heads = json.size("num_attention_heads", 32)?;
    let theta = json.at_or_empty("rope_parameters")?.number("rope_theta")?.or(json.number("rope_theta")?);
    json.expect("hidden_act", "silu")?;
    if json.flag("use_sliding_window")? == Some(true) {
        return Err(json.error("sliding-window attention is not supported"));
    }
    Ok(Qwen2Config {
        hidden,
        intermediate: json.size("intermediate_size", 22016)?,
        layers: json.size("num_hidden_layers", 32)?,
        heads,
        kv_heads: json
            .size("num_key_value_heads", if json.has("num_attention_heads") { heads } else { 32 })?,
        head_dim: json.size("head_dim", hidden / heads.max(1))?,
        rope_theta: theta.unwrap_or(10_000.0),
        max_positions: json.size("max_position_embeddings", 32_768)?,
        eps: json.number("rms_norm_eps")?.unwrap_or(1e-6),
        tied_head,
    })
}

/// A SigLIP config; the defaults are LLaVA-OneVision's tower (transformers 4.45.2 says 14 heads, which is wrong).
pub(super) fn vision_config(json: &Json) -> Result<SiglipConfig> {
    let d = SiglipConfig::default();
    json.expect("hidden_act", "gelu_pytorch_tanh")?;
    Ok(SiglipConfig {
        hidden: json.size("hidden_size", d.hidden)?,
        intermediate: json.size("intermediate_size", d.intermediate)?,
        layers: json.size("num_hidden_layers", d.layers)?,
        heads: json.size("num_attention_heads", d.heads)?,
        image_side: json.size("image_size", d.image_side)?,
        patch_side: json.size("patch_size", d.patch_side)?,
        eps: json.number("layer_norm_eps")?.unwrap_or(d.eps),
    })
}

/// Mean and std, from the first of the files that transformers looks at. Their class default is CLIP's and wrong for
/// these models, so without a file the training's 0.5 is used.
pub(super) fn pixel_settings(folder: &Path, vision: &SiglipConfig) -> Result<PixelSettings> {
    let files = [
        "processor_config.json",
        "video_preprocessor_config.json",
        "preprocessor_config.json",
        "video_processor/preprocessor_config.json",
    ];
    for name in files {
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let whole = Json::read(&path)?;
        let json = if name == "processor_config.json" { whole.at("video_processor")? } else { Some(whole) };
        let Some(json) = json else { continue };
        let (Some(mean), Some(std)) = (json.triple("image_mean")?, json.triple("image_std")?) else {
            continue;
        };
        if !std.iter().all(|s| *s > 1e-6) || !mean.iter().all(|m| m.is_finite()) {
            return Err(json.error("image_std must be above 0, and image_mean finite"));
        }
        check_side(&json, vision)?;
        return Ok(PixelSettings { mean, std, source: Some(name.into()) });
    }
    Ok(PixelSettings { mean: [0.5; 3], std: [0.5; 3], source: None })
}

/// The resize target must be the tower's input.
fn check_side(json: &Json, vision: &SiglipConfig) -> Result<()> {
    let Some(size) = json.at("size")? else { return Ok(()) };
    let side = vision.image_side;
    if size.size("height", side)? != side || size.size("width", side)? != side {
        return Err(json.error(format!("resizes to another size than the tower's {side} x {side}")));
    }
    Ok(())
}
