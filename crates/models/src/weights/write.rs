//! Writes safetensors with quantized matrices, one tensor in memory at a time.

use super::manifest::Stored;
use super::{Checkpoint, TensorInfo, WeightDtype};
use crate::{ModelError, Result};
use candle_core::DType;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

/// Hears of weights done, out of all; may stop.
pub type WriteProgress<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// The tensors of a file to be written.
#[derive(Default)]
pub struct QuantizedFile<'a> {
    tensors: Vec<Entry<'a>>,
}

struct Entry<'a> {
    name: &'a str,
    info: &'a TensorInfo,
    /// None: floats.
    stored: Option<Stored>,
    /// Of floats.
    dtype: DType,
}

impl Entry<'_> {
    fn bytes(&self) -> usize {
        match (self.stored, &self.info.shape[..]) {
            (Some(stored), [outputs, _]) => outputs * stored.format.row_bytes(stored.inputs),
            _ => self.info.shape.iter().product::<usize>() * self.dtype.size_in_bytes(),
        }
    }
}

impl<'a> QuantizedFile<'a> {
    /// Adds a tensor: a matrix in `dtype`, or anything as it is where that is none.
    pub fn add(&mut self, name: &'a str, info: &'a TensorInfo, dtype: Option<WeightDtype>) {
        let stored = match (dtype, &info.shape[..]) {
            (Some(dtype), [_, inputs]) => {
                dtype.format(*inputs).map(|format| Stored { format, inputs: *inputs })
            }
            _ => None,
        };
        let dtype = dtype.and_then(WeightDtype::float).unwrap_or(info.dtype);
        self.tensors.push(Entry { name, info, stored, dtype });
    }

    /// Writes everything to `path` and the disk; returns the file's bytes. `progress` hears of weights done, out of all.
    ///
    /// # Errors
    /// What cannot be read or written; [`ModelError::Stopped`].
    pub fn write(
        mut self,
        checkpoint: &Checkpoint,
        path: &Path,
        progress: &mut WriteProgress<'_>,
    ) -> Result<u64> {
        // Bytes last: floats then stay aligned.
        self.tensors.sort_by_key(|entry| entry.stored.is_some());
        let io = |source| ModelError::Io { path: path.into(), source };
        let weights = |entry: &Entry<'_>| entry.info.shape.iter().product::<usize>() as u64;
        let total: u64 = self.tensors.iter().map(weights).sum();
        let header = self.header()?;
        let file = File::create(path).map_err(io)?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
        out.write_all(&header).map_err(io)?;
        let (mut bytes, mut done) = (8 + header.len() as u64, 0);
        for entry in &self.tensors {
            match entry.stored {
                Some(stored) => {
                    let quantized = checkpoint.quantized(entry.info, stored.format)?;
                    out.write_all(quantized.bytes()).map_err(io)?;
                }
                None if entry.dtype == entry.info.dtype => checkpoint.copy(entry.info, &mut out)?,
                None => checkpoint.convert(entry.info, entry.dtype, &mut out)?,
            }
            bytes += entry.bytes() as u64;
            done += weights(entry);
            if progress(done, total).is_break() {
                return Err(ModelError::Stopped);
            }
        }
        let file = out.into_inner().map_err(|e| io(e.into_error()))?;
        file.sync_all().map_err(io)?;
        Ok(bytes)
    }

    fn header(&self) -> Result<Vec<u8>> {
        let mut entries = serde_json::Map::new();
        let manifest: HashMap<_, _> =
            self.tensors.iter().filter_map(|e| Some(e.stored?.entry(e.name))).collect();
        entries.insert("__metadata__".into(), serde_json::json!(manifest));
        let mut start = 0;
        for entry in &self.tensors {
            let end = start + entry.bytes();
            let (dtype, shape) = match (entry.stored, &entry.info.shape[..]) {
                (Some(stored), [outputs, _]) => {
                    ("U8", vec![*outputs, stored.format.row_bytes(stored.inputs)])
                }
                _ => (dtype_name(entry.dtype), entry.info.shape.clone()),
            };
            let value = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]});
            entries.insert(entry.name.into(), value);
            start = end;
        }
        let mut header = serde_json::to_vec(&entries)
            .map_err(|e| ModelError::Argument(format!("cannot describe the tensors ({e})")))?;
        header.resize(header.len().next_multiple_of(8), b' ');
        Ok(header)
    }
}

fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::BF16 => "BF16",
        DType::F16 => "F16",
        DType::I64 => "I64",
        _ => "F32",
    }
}
