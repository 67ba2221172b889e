//! Names of tensors, and the order of their rows.

use super::GgufMetadata;
use crate::Result;

/// The canonical name of a tensor of a GGUF file of Llama or Qwen2.
pub(in crate::weights) fn canonical(name: &str) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("text.embed_tokens.weight".into()),
        "output_norm.weight" => return Some("text.norm.weight".into()),
        "output.weight" => return Some("head.weight".into()),
        _ => {}
    }
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let part = match part {
        "attn_norm" => "input_layernorm",
        "ffn_norm" => "post_attention_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_output" => "self_attn.o_proj",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        _ => return None,
    };
    Some(format!("text.layers.{layer}.{part}.{kind}"))
}

/// What longsight reads, as `general.architecture` names it.
const ARCHITECTURES: [&str; 2] = ["llama", "qwen2"];

/// Refuses a file of another architecture: its tensors may have the same names.
pub(in crate::weights) fn check_architecture(metadata: &GgufMetadata) -> Result<()> {
    const KEY: &str = "general.architecture";
    let architecture = metadata.need(KEY, metadata.text(KEY)?)?;
    if ARCHITECTURES.contains(&architecture) {
        return Ok(());
    }
    Err(metadata.error(format!(
        "{KEY} `{architecture}` is another model's; longsight reads {}",
        ARCHITECTURES.join(" and ")
    )))
}

/// Rows of a head of tensor `name` of `rows` rows where llama.cpp's converter has reordered them: for the architecture
/// `llama` it writes the two rows of a rotary pair next to each other, in the queries' and the keys' matrices.
///
/// # Errors
/// A number of heads that is missing or does not divide the rows.
pub(in crate::weights) fn paired_head_rows(
    metadata: &GgufMetadata,
    name: &str,
    rows: usize,
) -> Result<Option<usize>> {
    const HEADS: &str = "llama.attention.head_count";
    const KV_HEADS: &str = "llama.attention.head_count_kv";
    if metadata.text("general.architecture")? != Some("llama") {
        return Ok(None);
    }
    let heads = || metadata.need(HEADS, metadata.size(HEADS)?);
    let heads = match name.rsplit_once('.') {
        Some((part, "weight")) if part.ends_with(".attn_q") => heads()?,
        Some((part, "weight")) if part.ends_with(".attn_k") => match metadata.size(KV_HEADS)? {
            Some(heads) => heads,
            None => heads()?,
        },
        _ => return Ok(None),
    };
    match rows.checked_div(heads) {
        Some(head) if head * heads == rows && head.is_multiple_of(2) => Ok(Some(head)),
        _ => Err(metadata.error(format!("tensor `{name}` has {rows} rows, which do not make {heads} heads"))),
    }
}

/// For each row of a matrix of `rows` rows, as [`rotate`](crate::layers::rotate) takes them (first members of all pairs
/// of a head, then second ones), the row of the file that holds it.
pub(in crate::weights) fn half_split_order(rows: usize, head_rows: usize) -> Vec<usize> {
    let half = head_rows / 2;
    let stored = |row: usize| {
        let (head, at) = (row / head_rows, row % head_rows);
        head * head_rows + 2 * (at % half) + at / half
    };
    (0..rows).map(stored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_each_head_are_split_into_halves() {
        assert_eq!(half_split_order(8, 4), [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(half_split_order(6, 6), [0, 2, 4, 1, 3, 5]);
    }
}
