use super::keys::{self, Kind};
use crate::Result;
use crate::decoder::DecoderConfig;
use crate::json::Json;

/// What a decoder's config class in transformers says where the file says nothing, and what becomes of its keys.
pub(crate) struct DecoderDefaults {
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
    pub(crate) max_positions: usize,
    /// Whether queries, keys and values have biases.
    pub(crate) qkv_bias: bool,
    pub(crate) keys: Kind,
}

/// `Qwen2Config`: biases on queries, keys and values.
pub(crate) const QWEN2: DecoderDefaults = DecoderDefaults {
    hidden: 4096,
    intermediate: 22_016,
    max_positions: 32_768,
    qkv_bias: true,
    keys: keys::QWEN2_TEXT,
};

/// `LlamaConfig`: no biases.
pub(crate) const LLAMA: DecoderDefaults = DecoderDefaults {
    hidden: 4096,
    intermediate: 11_008,
    max_positions: 2048,
    qkv_bias: false,
    keys: keys::LLAMA_TEXT,
};

/// The class default of `rope_theta`.
const USUAL_THETA: f64 = 10_000.0;

/// The decoder in `text_config` of `whole`, keys equal to class defaults left out; what is not followed goes to `warnings`.
///
/// # Errors
/// Settings that are not supported: another activation, sliding windows, scaled RoPE.
pub(crate) fn nested_decoder(
    whole: &Json,
    defaults: &DecoderDefaults,
    warnings: &mut Vec<String>,
) -> Result<DecoderConfig> {
    let text = whole.at_or_empty("text_config")?;
    warnings.extend(defaults.keys.check(&text)?);
    refuse_rope_scaling(&text, warnings)?;
    let decoder = read_decoder(&text, defaults, warnings)?;
    // Either flag: which one counts differs between versions of transformers, and a head in the file wins in all.
    let tied_head = decoder.tied_head || whole.flag("tie_word_embeddings")? == Some(true);
    Ok(DecoderConfig { tied_head, ..decoder })
}

/// A decoder's config: `text_config`, or the top level of an original checkpoint, whose keys are looked at elsewhere.
pub(crate) fn read_decoder(
    json: &Json,
    defaults: &DecoderDefaults,
    warnings: &mut Vec<String>,
) -> Result<DecoderConfig> {
    let hidden = json.size("hidden_size", defaults.hidden)?;
    let heads = json.size("num_attention_heads", 32)?;
    let layers = json.size("num_hidden_layers", 32)?;
    refuse_sliding_window(json, layers)?;
    Ok(DecoderConfig {
        hidden,
        intermediate: json.size("intermediate_size", defaults.intermediate)?,
        layers,
        heads,
        kv_heads: json
            .size("num_key_value_heads", if json.has("num_attention_heads") { heads } else { 32 })?,
        head_dim: json.size("head_dim", hidden / heads.max(1))?,
        qkv_bias: defaults.qkv_bias,
        rope_theta: rope_theta(json, warnings)?,
        max_positions: json.size("max_position_embeddings", defaults.max_positions)?,
        eps: json.number("rms_norm_eps")?.unwrap_or(1e-6),
        tied_head: json.flag("tie_word_embeddings")?.unwrap_or(false),
    })
}

/// Refuses sliding windows that some layer has, as `Qwen2Config` finds them: `layer_types` says so, or else every layer
/// from `max_window_layers` on has one where `use_sliding_window` is set.
fn refuse_sliding_window(json: &Json, layers: usize) -> Result<()> {
    let asked = json.flag("use_sliding_window")? == Some(true) && !json.is_null("sliding_window");
    let first = json.size("max_window_layers", 28)?;
    let sliding = match json.texts("layer_types")? {
        Some(kinds) => kinds.iter().any(|kind| *kind != "full_attention"),
        None => asked && first < layers,
    };
    match sliding {
        true => {
            Err(json.error("sliding-window attention (layer_types, use_sliding_window) is not supported"))
        }
        false => Ok(()),
    }
}

/// The RoPE base. transformers reads `rope_scaling` in place of `rope_parameters` where it is there, and what those hold
/// before the config's own key.
///
/// # Errors
/// A null and no number anywhere: transformers 5 writes that for a config whose RoPE settings were replaced after loading.
/// The base that the model was trained with is lost then, and 10,000 would be a guess.
fn rope_theta(json: &Json, warnings: &mut Vec<String>) -> Result<f64> {
    let (scaling, parameters) = (json.at_or_empty("rope_scaling")?, json.at_or_empty("rope_parameters")?);
    let places = [&scaling, &parameters, json];
    let mut found = Vec::new();
    for place in places {
        found.extend(place.number("rope_theta")?);
    }
    let Some(&theta) = found.first() else {
        if places.iter().any(|place| place.is_null("rope_theta")) {
            return Err(json.error(
                "rope_theta is null: the RoPE base that the model was trained with is lost; set it as in the original config.json",
            ));
        }
        warnings.push(json.remark("no rope_theta: 10000 is taken, as in transformers"));
        return Ok(USUAL_THETA);
    };
    if let Some(other) = found.iter().find(|other| **other != theta) {
        warnings.push(
            json.remark(format!("rope_theta is {theta} and {other}: {theta} is taken, as in transformers")),
        );
    }
    Ok(theta)
}

/// Refuses RoPE scaling in either spelling of the RoPE settings: longsight sets its own.
fn refuse_rope_scaling(json: &Json, warnings: &mut Vec<String>) -> Result<()> {
    for key in ["rope_parameters", "rope_scaling"] {
        let Some(rope) = json.at(key)? else { continue };
        let kind = rope.text("rope_type")?.or(rope.text("type")?);
        if let Some(kind) = kind.filter(|kind| *kind != "default") {
            return Err(json.error(format!(
                "RoPE scaling `{kind}` in text_config would be applied twice: longsight sets its own; let rope_type be `default` and keep rope_theta"
            )));
        }
        warnings.extend(keys::ROPE.check(&rope)?);
    }
    Ok(())
}
