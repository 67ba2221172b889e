//! The llava-hf layout: nested configs, keys equal to transformers' class defaults left out.

use super::{Llava, Parts, vision_config};
use crate::Result;
use crate::config::{QWEN2, read_decoder, refuse_rope_scaling};
use crate::json::Json;
use longsight_method::{NewlineMode, PoolMode};

pub(super) fn read(json: &Json) -> Result<Parts> {
    let text_json = json.at_or_empty("text_config")?;
    text_json.expect("model_type", "qwen2")?;
    let tied = text_json.flag("tie_word_embeddings")?.or(json.flag("tie_word_embeddings")?).unwrap_or(false);
    let decoder = read_decoder(&text_json, &QWEN2, tied)?;
    refuse_rope_scaling(&text_json)?;
    let tower = vision_config(&json.at_or_empty("vision_config")?)?;
    json.expect("projector_hidden_act", "gelu")?;
    json.expect("vision_feature_select_strategy", "full")?;
    let layer = json.number("vision_feature_layer")?.unwrap_or(-1.0);
    if layer != -1.0 {
        return Err(json.error(format!("vision_feature_layer {layer} is not supported, only -1")));
    }
    if json.flag("multimodal_projector_bias")? == Some(false) {
        return Err(json.error("a projector without bias is not supported"));
    }
    Ok(Parts {
        family: Llava::OneVision,
        decoder,
        tower,
        pool_mode: PoolMode::Bilinear,
        newline: NewlineMode::OneToken,
        warnings: Vec::new(),
    })
}
