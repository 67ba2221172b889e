//! How a safetensors file says which of its tensors are quantized: metadata keys `quantized.<tensor>` with the value
//! `<format> <inputs>`; the tensor itself is u8 `[outputs, bytes a row]`.
//!
//! A quantized checkpoint is safetensors with this metadata, since GGUF has no architecture for a tower and a merger next to
//! the decoder.

use super::{TensorInfo, WeightDtype};
use candle_core::DType;
use longsight_kernels::Format;
use safetensors::tensor::Metadata;
use std::collections::BTreeMap;

const PREFIX: &str = "quantized.";

/// One quantized tensor, as announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) format: Format,
    pub(crate) inputs: usize,
}

impl Stored {
    /// Its line in the metadata: key and value.
    pub(crate) fn entry(self, tensor: &str) -> (String, String) {
        (format!("{PREFIX}{tensor}"), format!("{} {}", WeightDtype::of(self.format), self.inputs))
    }

    fn parse(value: &str) -> Option<Self> {
        let (dtype, inputs) = value.split_once(' ')?;
        let inputs = inputs.parse().ok().filter(|inputs| *inputs > 0)?;
        let dtype: WeightDtype = dtype.parse().ok()?;
        let format = dtype.format(inputs)?;
        (WeightDtype::of(format) == dtype).then_some(Self { format, inputs })
    }

    /// Turns the entry of the bytes into that of the weights.
    pub(super) fn apply(self, info: &mut TensorInfo) -> Result<(), String> {
        match info.shape[..] {
            [outputs, bytes] if info.dtype == DType::U8 && bytes == self.format.row_bytes(self.inputs) => {
                info.shape = vec![outputs, self.inputs];
                info.format = Some(self.format);
                Ok(())
            }
            _ => Err(format!(
                "is not what the file's metadata say ({} with rows of {} weights); quantize again",
                WeightDtype::of(self.format),
                self.inputs
            )),
        }
    }
}

/// The quantized tensors of a file.
pub(super) fn read(metadata: &Metadata) -> Result<BTreeMap<String, Stored>, String> {
    let Some(entries) = metadata.metadata() else { return Ok(BTreeMap::new()) };
    let quantized = entries.iter().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value)));
    quantized
        .map(|(tensor, value)| match Stored::parse(value) {
            Some(stored) => Ok((tensor.to_owned(), stored)),
            None => {
                Err(format!("tensor `{tensor}` is quantized as `{value}`, which this version cannot read"))
            }
        })
        .collect()
}
