use crate::Result;
use crate::decoder::DecoderConfig;
use crate::json::Json;

/// What a decoder's config class in transformers says where the file says nothing.
pub(crate) struct DecoderDefaults {
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
    pub(crate) max_positions: usize,
    /// Whether queries, keys and values have biases.
    pub(crate) qkv_bias: bool,
}

/// `Qwen2Config`: biases on queries, keys and values.
pub(crate) const QWEN2: DecoderDefaults =
    DecoderDefaults { hidden: 4096, intermediate: 22_016, max_positions: 32_768, qkv_bias: true };

/// `LlamaConfig`: no biases.
pub(crate) const LLAMA: DecoderDefaults =
    DecoderDefaults { hidden: 4096, intermediate: 11_008, max_positions: 2048, qkv_bias: false };

/// A decoder's config (`text_config`, or the top level of an original checkpoint), keys equal to class defaults left out.
///
/// # Errors
/// Settings that are not supported: another activation, sliding windows, scaled RoPE.
pub(crate) fn read_decoder(
    json: &Json,
    defaults: &DecoderDefaults,
    tied_head: bool,
) -> Result<DecoderConfig> {
    let hidden = json.size("hidden_size", defaults.hidden)?;
    let heads = json.size("num_attention_heads", 32)?;
    let theta = json.at_or_empty("rope_parameters")?.number("rope_theta")?.or(json.number("rope_theta")?);
    json.expect("hidden_act", "silu")?;
    if json.flag("use_sliding_window")? == Some(true) {
        return Err(json.error("sliding-window attention is not supported"));
    }
    for key in ["attention_bias", "mlp_bias"] {
        if !defaults.qkv_bias && json.flag(key)? == Some(true) {
            return Err(json.error(format!("{key} true is not supported")));
        }
    }
    Ok(DecoderConfig {
        hidden,
        intermediate: json.size("intermediate_size", defaults.intermediate)?,
        layers: json.size("num_hidden_layers", 32)?,
        heads,
        kv_heads: json
            .size("num_key_value_heads", if json.has("num_attention_heads") { heads } else { 32 })?,
        head_dim: json.size("head_dim", hidden / heads.max(1))?,
        qkv_bias: defaults.qkv_bias,
        rope_theta: theta.unwrap_or(10_000.0),
        max_positions: json.size("max_position_embeddings", defaults.max_positions)?,
        eps: json.number("rms_norm_eps")?.unwrap_or(1e-6),
        tied_head,
    })
}

/// Refuses RoPE scaling in either spelling of the RoPE settings: longsight sets its own.
pub(crate) fn refuse_rope_scaling(json: &Json) -> Result<()> {
    for key in ["rope_parameters", "rope_scaling"] {
        let Some(rope) = json.at(key)? else { continue };
        let kind = rope.text("rope_type")?.or(rope.text("type")?);
        if let Some(kind) = kind.filter(|kind| *kind != "default") {
            return Err(json.error(format!(
                "RoPE scaling `{kind}` in text_config would be applied twice; remove it: longsight sets its own"
            )));
        }
    }
    Ok(())
}
