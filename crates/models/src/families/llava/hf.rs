//! The llava-hf layout: nested configs, keys equal to transformers' class defaults left out.

use super::{Llava, Parts, vision_config};
use crate::Result;
use crate::config::{QWEN2, keys, nested_decoder};
use crate::json::Json;
use longsight_method::{NewlineMode, PoolMode};

pub(super) fn read(json: &Json) -> Result<Parts> {
    let mut warnings = keys::LLAVA_HF.check(json)?;
    let decoder = nested_decoder(json, &QWEN2, &mut warnings)?;
    let tower = vision_config(&json.at_or_empty("vision_config")?, &mut warnings)?;
    // Counted from the end, or from the embeddings before the first layer.
    let last = i64::try_from(tower.layers).unwrap_or(i64::MAX);
    let layers = json.wholes("vision_feature_layer")?.unwrap_or_else(|| vec![-1]);
    if !matches!(layers[..], [layer] if layer == -1 || layer == last) {
        return Err(
            json.error(format!("vision_feature_layer {layers:?} is not supported, only -1 (or {last})"))
        );
    }
    Ok(Parts {
        family: Llava::OneVision,
        decoder,
        tower,
        pool_mode: PoolMode::Bilinear,
        newline: NewlineMode::OneToken,
        warnings,
    })
}
