//! The head of a GGUF file (versions 2 and 3): its metadata, and where its tensors lie. The format is described in ggml's
//! docs/gguf.md.

mod metadata;
mod names;

use candle_core::DType;
use longsight_kernels::Format;
pub(crate) use metadata::{GgufMetadata, GgufValue};
pub(super) use names::{canonical, check_architecture, half_split_order, paired_head_rows};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{Read, Seek};
use std::path::Path;

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

/// Reads the metadata and the tensors' places from the beginning of the file of `file_bytes` at `path`.
///
/// # Errors
/// In words, without the file's name.
pub(super) fn read(
    file: impl Read + Seek,
    (path, file_bytes): (&Path, u64),
) -> Result<(GgufMetadata, Vec<GgufTensor>), String> {
    let mut head = Head { file };
    if head.u32()? != u32::from_le_bytes(*b"GGUF") {
        return Err("not a GGUF file; download it again".into());
    }
    match head.u32()? {
        2 | 3 => {}
        version => return Err(format!("GGUF version {version}; longsight reads 2 and 3")),
    }
    let (tensors, entries) = (head.count()?, head.count()?);
    let mut values = BTreeMap::new();
    for _ in 0..entries {
        let (key, kind) = (head.text()?, head.u32()?);
        if values.contains_key(&key) {
            return Err(damaged(format_args!("key `{key}` is there twice")));
        }
        values.insert(key, head.value(kind, true)?);
    }
    let alignment = alignment(&values)?;
    let mut found = Vec::new();
    for _ in 0..tensors {
        found.push(head.tensor()?);
    }
    let data_start = head.position()?.next_multiple_of(alignment);
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
    check_apart(&found)?;
    Ok((GgufMetadata::new(path, values), found))
}

/// Errors where two tensors share bytes: one of them would be the other's weights.
fn check_apart(tensors: &[GgufTensor]) -> Result<(), String> {
    let mut by_offset: Vec<&GgufTensor> = tensors.iter().collect();
    by_offset.sort_by_key(|tensor| tensor.offset_bytes);
    for pair in by_offset.windows(2) {
        let bytes = pair[0].bytes().unwrap_or(u64::MAX);
        if pair[0].offset_bytes.saturating_add(bytes) > pair[1].offset_bytes {
            return Err(damaged(format_args!("tensors `{}` and `{}` overlap", pair[0].name, pair[1].name)));
        }
    }
    Ok(())
}

/// What the data's start is a multiple of, in bytes.
fn alignment(values: &BTreeMap<String, GgufValue>) -> Result<u64, String> {
    match values.get("general.alignment") {
        None => Ok(32),
        Some(GgufValue::Whole(bytes @ 1..=0x8000_0000)) if bytes.count_ones() == 1 => Ok(*bytes as u64),
        Some(other) => Err(damaged(format_args!("alignment {other:?}"))),
    }
}

struct Head<R> {
    file: R,
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

    /// A value of type `kind`.
    fn value(&mut self, kind: u32, may_be_list: bool) -> Result<GgufValue, String> {
        let whole = |number: i64| Ok(GgufValue::Whole(number));
        match kind {
            0 => whole(u8::from_le_bytes(self.bytes()?).into()),
            1 => whole(i8::from_le_bytes(self.bytes()?).into()),
            2 => whole(u16::from_le_bytes(self.bytes()?).into()),
            3 => whole(i16::from_le_bytes(self.bytes()?).into()),
            4 => whole(self.u32()?.into()),
            5 => whole(i32::from_le_bytes(self.bytes()?).into()),
            6 => Ok(GgufValue::Float(f32::from_le_bytes(self.bytes()?).into())),
            7 => Ok(GgufValue::Flag(self.bytes::<1>()? != [0])),
            8 => self.text().map(GgufValue::Text),
            9 if may_be_list => {
                let (kind, count) = (self.u32()?, self.count()?);
                let values = (0..count).map(|_| self.value(kind, false));
                Ok(GgufValue::List(values.collect::<Result<_, _>>()?))
            }
            10 => whole(i64::try_from(self.u64()?).unwrap_or(i64::MAX)),
            11 => whole(i64::from_le_bytes(self.bytes()?)),
            12 => Ok(GgufValue::Float(f64::from_le_bytes(self.bytes()?))),
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
