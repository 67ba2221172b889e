use super::SmolVlm;
use crate::Result;
use crate::config::{
    LLAMA, MeanStd, ModelConfig, ProcessorFiles, VisionConfig, check_sizes, keys, nested_decoder,
};
use crate::decoder::DecoderConfig;
use crate::json::Json;
use crate::merger::MergerConfig;
use crate::processor::{FrameFit, PixelSettings};
use crate::vision::SiglipConfig;
use longsight_method::{NewlineMode, PoolMode, PoolSpec};
use std::path::Path;
use std::sync::Arc;

/// Frames of the longest videos in training.
const TRAINED_FRAMES: usize = 64;
/// The class default of the processor's `size.longest_edge`, and of `max_image_size.longest_edge`.
const USUAL_EDGE: usize = 4 * 364;
const USUAL_SIDE: usize = 364;
/// Longest side that frames are resized to, as in transformers.
const MAX_EDGE: usize = 4096;

/// Reads a config of the family.
pub(in crate::families) fn read(folder: &Path, json: &Json) -> Result<Option<ModelConfig>> {
    if json.text("model_type")? != Some("smolvlm") {
        return Ok(None);
    }
    let mut warnings = keys::SMOLVLM.check(json)?;
    let (decoder, tower) = (decoder(json, &mut warnings)?, tower(json, &mut warnings)?);
    check_sizes(&decoder, Some(&tower)).map_err(|wrong| json.error(wrong))?;
    check_positions(json, &tower)?;
    let merger = merger(json, &tower)?;
    let pixels = pixel_settings(folder, &tower, &mut warnings)?;
    let vision = VisionConfig {
        tower,
        merger,
        pixels,
        pool_mode: PoolMode::Bilinear,
        usual_pool: PoolSpec::Progressive { group: 4, fine_stride: 1, coarse_stride: 4 },
        newline: NewlineMode::None,
    };
    let tokens = vision.grid().tokens();
    check_image_tokens(folder, tokens)?;
    let config = ModelConfig::new(Arc::new(SmolVlm), decoder, vision, TRAINED_FRAMES * tokens);
    Ok(Some(ModelConfig { warnings, ..config }))
}

fn decoder(json: &Json, warnings: &mut Vec<String>) -> Result<DecoderConfig> {
    let mut decoder = nested_decoder(json, &LLAMA, warnings)?;
    if !json.has("text_config") {
        decoder.eps = 1e-5; // what transformers makes of a config without one
    }
    Ok(decoder)
}

fn tower(json: &Json, warnings: &mut Vec<String>) -> Result<SiglipConfig> {
    let vision = json.at_or_empty("vision_config")?;
    warnings.extend(keys::SMOLVLM_VISION.check(&vision)?);
    Ok(SiglipConfig {
        hidden: vision.size("hidden_size", 1152)?,
        intermediate: vision.size("intermediate_size", 3072)?,
        layers: vision.size("num_hidden_layers", 12)?,
        heads: vision.size("num_attention_heads", 16)?,
        image_side: vision.size("image_size", 224)?,
        patch_side: vision.size("patch_size", 32)?,
        eps: vision.number("layer_norm_eps")?.unwrap_or(1e-6),
        post_norm: true,
    })
}

fn merger(json: &Json, tower: &SiglipConfig) -> Result<MergerConfig> {
    let (scale, side) = (json.size("scale_factor", 2)?, tower.grid().rows);
    if scale == 0 || scale > side || !side.is_multiple_of(scale) {
        return Err(json.error(format!(
            "scale_factor {scale} does not divide the tower's {side} patches a side; is this the checkpoint's own config?"
        )));
    }
    Ok(MergerConfig::PixelShuffle { scale })
}

/// Patches a side, up to 80, for which transformers' rounding gives a frame's patches other positions than their own: it
/// finds them by f32 fractions. No published checkpoint has one of these.
const SHIFTED_GRIDS: [usize; 26] =
    [19, 25, 29, 31, 38, 40, 41, 43, 47, 49, 50, 54, 55, 58, 59, 61, 62, 67, 68, 71, 72, 73, 74, 76, 77, 80];

fn check_positions(json: &Json, tower: &SiglipConfig) -> Result<()> {
    match tower.grid().rows {
        side if side > 80 || SHIFTED_GRIDS.contains(&side) => Err(json.error(format!(
            "a tower of {side} patches a side is not supported: their positions are not known"
        ))),
        _ => Ok(()),
    }
}

/// The first settings with mean and std. transformers takes `size` for videos too where a file has it, whatever
/// `video_sampling.video_size` says.
fn pixel_settings(folder: &Path, tower: &SiglipConfig, warnings: &mut Vec<String>) -> Result<PixelSettings> {
    let side = tower.image_side;
    let files = ProcessorFiles::read(folder, [keys::SMOLVLM_PIXELS, keys::LONGEST_EDGE], warnings)?;
    let Some((name, MeanStd { mean, std }, json)) = files.first(warnings)? else {
        let (MeanStd { mean, std }, fit) =
            (MeanStd::of_training(), FrameFit::LongestEdge(USUAL_EDGE.max(side)));
        return Ok(PixelSettings { mean, std, source: None, side, video_fit: fit, still_fit: fit });
    };
    let of_video = json.at_or_empty("video_sampling")?.at_or_empty("video_size")?;
    let size = json.at("size")?.unwrap_or(of_video);
    let edge = size.size("longest_edge", USUAL_EDGE)?.clamp(1, MAX_EDGE);
    let said = json.at_or_empty("max_image_size")?.size("longest_edge", USUAL_SIDE)?;
    if said != side {
        return Err(json.error(format!("max_image_size {said} is not the tower's {side} pixels a side")));
    }
    let fit = FrameFit::LongestEdge(edge);
    Ok(PixelSettings { mean, std, source: Some(name.into()), side, video_fit: fit, still_fit: fit })
}

/// The processor writes as many image tokens as `image_seq_len` says; the network makes `tokens`.
fn check_image_tokens(folder: &Path, tokens: usize) -> Result<()> {
    let path = folder.join("processor_config.json");
    if !path.exists() {
        return Ok(());
    }
    let json = Json::read(&path)?;
    match json.size("image_seq_len", tokens)? {
        said if said == tokens => Ok(()),
        said => Err(json.error(format!(
            "image_seq_len {said}, but the network makes {tokens} tokens a frame; do these files belong together?"
        ))),
    }
}
