use super::TextOnly;
use crate::Result;
use crate::config::{ModelConfig, check_sizes};
use crate::decoder::DecoderConfig;
use crate::weights::GgufMetadata;
use std::sync::Arc;

/// The configuration in a GGUF file's metadata; `tied_head`: the file has no output head.
///
/// # Errors
/// A key that is missing or of another type, scaled RoPE, sizes that do not fit together.
pub(crate) fn read(metadata: &GgufMetadata, tied_head: bool) -> Result<ModelConfig> {
    let architecture = metadata.text("general.architecture")?.unwrap_or_default();
    let key = |name: &str| format!("{architecture}.{name}");
    let size = |name: &str| metadata.size(&key(name));
    let needed = |name: &str| metadata.need(&key(name), size(name)?);
    refuse_rope_scaling(metadata, &key("rope.scaling."))?;
    let (hidden, heads) = (needed("embedding_length")?, needed("attention.head_count")?);
    let head_dim = size("attention.key_length")?.unwrap_or(hidden.checked_div(heads).unwrap_or(0));
    for other in ["attention.value_length", "rope.dimension_count"] {
        if size(other)?.is_some_and(|width| width != head_dim) {
            let other = key(other);
            return Err(metadata
                .error(format!("`{other}` is another than a head's width of {head_dim}: not supported")));
        }
    }
    let eps = key("attention.layer_norm_rms_epsilon");
    let decoder = DecoderConfig {
        hidden,
        intermediate: needed("feed_forward_length")?,
        layers: needed("block_count")?,
        heads,
        kv_heads: size("attention.head_count_kv")?.unwrap_or(heads),
        head_dim,
        qkv_bias: architecture == "qwen2",
        rope_theta: metadata.number(&key("rope.freq_base"))?.unwrap_or(10_000.0),
        max_positions: needed("context_length")?,
        eps: metadata.need(&eps, metadata.number(&eps)?)?,
        tied_head,
    };
    check_sizes(&decoder, None).map_err(|wrong| metadata.error(wrong))?;
    let name = metadata.text("general.name")?.unwrap_or(architecture).to_owned();
    let window = decoder.max_positions;
    Ok(ModelConfig::new(Arc::new(TextOnly { name }), decoder, None, window))
}

/// Checks that a file which stands in for the language model of a whole checkpoint is that model's, as far as its metadata go.
///
/// # Errors
/// Another architecture, scaled RoPE, or a number that differs from `decoder`'s; each is named.
pub(crate) fn check_same(metadata: &GgufMetadata, decoder: &DecoderConfig) -> Result<()> {
    let architecture = metadata.text("general.architecture")?.unwrap_or_default();
    let wanted = if decoder.qkv_bias { "qwen2" } else { "llama" };
    if architecture != wanted {
        return Err(metadata.error(format!(
            "general.architecture `{architecture}`: the checkpoint's language model is of `{wanted}`"
        )));
    }
    refuse_rope_scaling(metadata, &format!("{architecture}.rope.scaling."))?;
    for (key, ours) in [
        ("block_count", decoder.layers as f64),
        ("attention.head_count", decoder.heads as f64),
        ("attention.head_count_kv", decoder.kv_heads as f64),
        ("attention.key_length", decoder.head_dim as f64),
        ("attention.layer_norm_rms_epsilon", decoder.eps),
        ("rope.freq_base", decoder.rope_theta),
    ] {
        let key = format!("{architecture}.{key}");
        // The file holds some of them as f32.
        if let Some(theirs) =
            metadata.number(&key)?.filter(|theirs| (theirs - ours).abs() > 1e-6 * ours.abs())
        {
            return Err(metadata.error(format!(
                "`{key}` is {theirs}, config.json says {ours}; do these files belong together?"
            )));
        }
    }
    Ok(())
}

/// Refuses RoPE scaling: longsight would compute another model.
fn refuse_rope_scaling(metadata: &GgufMetadata, prefix: &str) -> Result<()> {
    let kind = format!("{prefix}type");
    if metadata.text(&kind)?.is_some_and(|kind| kind == "none") {
        return Ok(());
    }
    match metadata.keys(prefix).next() {
        Some(key) => Err(metadata.error(format!("`{key}`: RoPE scaling in GGUF files is not supported"))),
        None => Ok(()),
    }
}
