//! The head of a GGUF file (versions 2 and 3): where its tensors lie. The format is described in ggml's docs/gguf.md.

use candle_core::DType;
use longsight_kernels::Format;
use std::fmt::Display;
use std::io::{Read, Seek};

/// Limits far above what real files hold: beyond them a file is damaged.
const MAX_ENTRIES: u64 = 1 << 20;
const MAX_TEXT_BYTES: u64 = 1 << 24;
const MAX_DIMENSIONS: u32 = 4;

/// One tensor, as announced.
#[derive(Debug)]
pub(super) struct GgufTensor {
    pub(super) name: String,
    /// Outermost first, as in safetensors.
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    pub(super) format: Option<Format>,
    /// From the beginning of the file.
    pub(super) offset_bytes: u64,
}

impl GgufTensor {
    fn bytes(&self) -> Option<u64> {
        let count = self.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
        let bytes = match (self.format, self.shape.last()) {
            (Some(format), Some(inputs)) => {
                (count / (*inputs).max(1)).checked_mul(format.row_bytes(*inputs))?
            }
            _ => count.checked_mul(self.dtype.size_in_bytes())?,
        };
        u64::try_from(bytes).ok()
    }
}

/// Reads the tensors' places from the beginning of a file of `file_bytes`.
///
/// # Errors
/// In words, without the file's name.
pub(super) fn tensors(file: impl Read + Seek, file_bytes: u64) -> Result<Vec<GgufTensor>, String> {
    let mut head = Head { file, alignment: 32 };
    if head.u32()? != u32::from_le_bytes(*b"GGUF") {
        return Err("not a GGUF file; download it again".into());
    }
    match head.u32()? {
        2 | 3 => {}
        version => return Err(format!("GGUF version {version}; longsight reads 2 and 3")),
    }
    let (tensors, entries) = (head.count()?, head.count()?);
    for _ in 0..entries {
        head.entry()?;
    }
    let mut found = Vec::new();
    for _ in 0..tensors {
        found.push(head.tensor()?);
    }
    let data_start = head.position()?.next_multiple_of(u64::from(head.alignment));
    for tensor in &mut found {
        let end = tensor.offset_bytes.checked_add(data_start).and_then(|start| {
            tensor.offset_bytes = start;
            start.checked_add(tensor.bytes()?)
        });
        if end.is_none_or(|end| end > file_bytes) {
            return Err(format!(
                "tensor `{}` lies beyond the end: truncated; download it again",
                tensor.name
            ));
        }
    }
    Ok(found)
}

struct Head<R> {
    file: R,
    alignment: u32,
}

impl<R: Read + Seek> Head<R> {
    fn position(&mut self) -> Result<u64, String> {
        self.file.stream_position().map_err(|e| e.to_string())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|_| damaged("truncated"))?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn count(&mut self) -> Result<u64, String> {
        match self.u64()? {
            count if count <= MAX_ENTRIES => Ok(count),
            count => Err(damaged(format_args!("{count} entries"))),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), String> {
        let skipped = std::io::copy(&mut self.file.by_ref().take(bytes), &mut std::io::sink());
        match skipped {
            Ok(skipped) if skipped == bytes => Ok(()),
            _ => Err(damaged("truncated")),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.u64()?;
        if length > MAX_TEXT_BYTES {
            return Err(damaged(format_args!("text of {length} bytes")));
        }
        let mut bytes = Vec::new();
        let read = self.file.by_ref().take(length).read_to_end(&mut bytes);
        match (read, String::from_utf8(bytes)) {
            (Ok(read), Ok(text)) if read as u64 == length => Ok(text),
            _ => Err(damaged("text cut off, or not UTF-8")),
        }
    }

    /// One key and its value; only the alignment matters here.
    fn entry(&mut self) -> Result<(), String> {
        let key = self.text()?;
        let kind = self.u32()?;
        if key == "general.alignment" && kind == 4 {
            self.alignment = self.u32()?;
            return match self.alignment.is_power_of_two() {
                true => Ok(()),
                false => Err(damaged(format_args!("alignment {}", self.alignment))),
            };
        }
        self.skip_value(kind, true)
    }

    fn skip_value(&mut self, kind: u32, may_be_list: bool) -> Result<(), String> {
        match kind {
            0 | 1 | 7 => self.skip(1),
            2 | 3 => self.skip(2),
            4..=6 => self.skip(4),
            10..=12 => self.skip(8),
            8 => self.text().map(drop),
            9 if may_be_list => {
                let (kind, count) = (self.u32()?, self.count()?);
                (0..count).try_for_each(|_| self.skip_value(kind, false))
            }
            other => Err(damaged(format_args!("value of type {other}"))),
        }
    }

    fn tensor(&mut self) -> Result<GgufTensor, String> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(damaged(format_args!("tensor `{name}` of {dimensions} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = usize::try_from(self.u64()?)
                .map_err(|_| damaged(format_args!("tensor `{name}` is too large")))?;
            shape.insert(0, size);
        }
        let (dtype, format) = match self.u32()? {
            0 => (DType::F32, None),
            1 => (DType::F16, None),
            30 => (DType::BF16, None),
            2 => (DType::U8, Some(Format::Q4_0)),
            3 => (DType::U8, Some(Format::Q4_1)),
            6 => (DType::U8, Some(Format::Q5_0)),
            7 => (DType::U8, Some(Format::Q5_1)),
            8 => (DType::U8, Some(Format::Q8_0)),
            12 => (DType::U8, Some(Format::Q4K)),
            13 => (DType::U8, Some(Format::Q5K)),
            14 => (DType::U8, Some(Format::Q6K)),
            other => {
                return Err(format!(
                    "tensor `{name}` is of GGUF type {other}; longsight reads F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K"
                ));
            }
        };
        if format.is_some_and(|f| shape.len() != 2 || !f.fits(shape[1])) {
            return Err(damaged(format_args!("tensor `{name}` of shape {shape:?} cannot be quantized so")));
        }
        let offset_bytes = self.u64()?;
        Ok(GgufTensor { name, shape, dtype, format, offset_bytes })
    }
}

fn damaged(what: impl Display) -> String {
    format!("damaged header: {what}; download it again")
}

/// The canonical name of a Qwen2 tensor of a GGUF file.
pub(super) fn canonical(name: &str) -> Option<String> {
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
