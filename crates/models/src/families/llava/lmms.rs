//! The original (lmms-lab) layout: one flat config with Qwen2 keys at top level and `mm_*` keys beside them.

use super::{Llava, Parts, vision_config};
use crate::Result;
use crate::config::{QWEN2, keys, read_decoder};
use crate::json::Json;
use crate::vision::SiglipConfig;
use longsight_method::{NewlineMode, PoolMode};

/// Whether a config with model_type `llava` is one of ours.
pub(super) fn is_qwen(json: &Json) -> bool {
    json.has("mm_vision_tower") && json.architectures().iter().any(|a| a == "LlavaQwenForCausalLM")
}

pub(super) fn read(json: &Json) -> Result<Parts> {
    let mut warnings = keys::LLAVA_LMMS.check(json)?;
    let decoder = read_decoder(json, &QWEN2, &mut warnings)?;
    let tower = tower(json, &mut warnings)?;
    let pool_mode = match json.text("mm_spatial_pool_mode")?.unwrap_or("bilinear") {
        "bilinear" => PoolMode::Bilinear,
        "average" => PoolMode::Average,
        "max" => PoolMode::Max,
        other => return Err(json.error(format!("mm_spatial_pool_mode `{other}` is not supported"))),
    };
    let newline = newline_mode(json)?;
    let family = if newline == NewlineMode::Grid { Llava::Video } else { Llava::OneVision };
    if json.has("rope_scaling") {
        warnings
            .push("rope_scaling in config.json is ignored: the original code overwrites it with none".into());
    }
    Ok(Parts { family, decoder, tower, pool_mode, newline, warnings })
}

fn newline_mode(json: &Json) -> Result<NewlineMode> {
    let unpad = json.text("mm_patch_merge_type")?.unwrap_or("flat").contains("unpad");
    Ok(match json.text("mm_newline_position")?.unwrap_or("one_token") {
        "one_token" if unpad => NewlineMode::OneToken,
        "one_token" | "no_token" => NewlineMode::None,
        "grid" => NewlineMode::Grid,
        "frame" => NewlineMode::Frame,
        other => return Err(json.error(format!("mm_newline_position `{other}` is not supported"))),
    })
}

/// The tower's shape: a `vision_config` object where there is one, else by the name of the published tower.
fn tower(json: &Json, warnings: &mut Vec<String>) -> Result<SiglipConfig> {
    if let Some(own) = json.at("vision_config")? {
        return vision_config(&own, warnings);
    }
    let name = json.text("mm_vision_tower")?.unwrap_or("");
    if name.contains("siglip-so400m-patch14-384") {
        return Ok(SiglipConfig::default());
    }
    Err(json
        .error(format!("mm_vision_tower `{name}` is not supported, only google/siglip-so400m-patch14-384")))
}
