//! Matrices of weights: a tensor of floats, or quantized rows in memory or in a mapped file.

use crate::backend::activation_dtype;
use crate::{ModelError, Result};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use longsight_kernels::{Format, MappedFile, QuantizedMatrix, quantize_int8};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Weights quantized at a time: what is held as floats meanwhile.
const PIECE_WEIGHTS: usize = 1 << 22;

/// A matrix `[outputs, inputs]`. Copies share the weights.
#[derive(Clone)]
pub enum Matrix {
    /// Floats, on any device.
    Floats(Tensor),
    /// Quantized, on the CPU.
    Quantized(Arc<QuantizedWeights>),
}

/// Quantized weights `[outputs, inputs]`.
pub struct QuantizedWeights {
    format: Format,
    bytes: Bytes,
    inputs: usize,
    outputs: usize,
}

enum Bytes {
    Owned(Vec<u8>),
    Mapped(Arc<MappedFile>, Range<usize>),
}

impl Matrix {
    /// Rows `ids`, each below the number of rows, as `[ids, inputs]`, in the dtype of activations.
    pub fn select(&self, ids: &[u32], device: &Device) -> candle_core::Result<Tensor> {
        match self {
            Self::Floats(tensor) => {
                let ids = Tensor::from_vec(ids.to_vec(), ids.len(), device)?;
                tensor.index_select(&ids, 0)?.to_dtype(activation_dtype(tensor.dtype(), device))
            }
            Self::Quantized(weights) => {
                let matrix = weights.view()?;
                let mut rows = vec![0f32; ids.len() * weights.inputs];
                for (row, id) in rows.chunks_exact_mut(weights.inputs).zip(ids) {
                    matrix.dequantize_row(*id as usize, row);
                }
                Tensor::from_vec(rows, (ids.len(), weights.inputs), device)
            }
        }
    }
}

impl QuantizedWeights {
    /// Quantizes `[outputs, inputs]` piece by piece: `read(first, out)` fills `out` with the weights from `first` on.
    pub(super) fn quantize(
        format: Format,
        (outputs, inputs): (usize, usize),
        mut read: impl FnMut(usize, &mut [f32]) -> Result<()>,
    ) -> Result<Self> {
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(format.row_bytes(inputs).saturating_mul(outputs))
            .map_err(|_| ModelError::Argument("not enough memory for the weights".into()))?;
        let piece_rows = (PIECE_WEIGHTS / inputs.max(1)).clamp(1, outputs.max(1));
        let mut wide = vec![0f32; piece_rows * inputs];
        for first in (0..outputs).step_by(piece_rows) {
            let wide = &mut wide[..piece_rows.min(outputs - first) * inputs];
            read(first * inputs, wide)?;
            let share = wide.len().div_ceil(inputs.max(1) * rayon::current_num_threads()) * inputs.max(1);
            let parts: Vec<_> = wide
                .par_chunks(share.max(1))
                .map(|rows| quantize_rows(format, inputs, rows))
                .collect::<Result<_>>()?;
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
        }
        Ok(Self { format, bytes: Bytes::Owned(bytes), inputs, outputs })
    }

    /// Weights in a part of a mapped file.
    pub(super) fn mapped(
        format: Format,
        (outputs, inputs): (usize, usize),
        file: Arc<MappedFile>,
        range: Range<usize>,
    ) -> Self {
        Self { format, bytes: Bytes::Mapped(file, range), inputs, outputs }
    }

    /// A copy with the rows that `order` names, in that order: every format stores each row by itself.
    pub(super) fn select_rows(&self, order: &[usize]) -> Self {
        let row_bytes = self.format.row_bytes(self.inputs);
        let row = |row: &usize| self.bytes().get(row * row_bytes..(row + 1) * row_bytes).unwrap_or_default();
        let bytes = order.iter().flat_map(row).copied().collect();
        Self { format: self.format, bytes: Bytes::Owned(bytes), inputs: self.inputs, outputs: order.len() }
    }

    /// The stored bytes, row after row.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(file, range) => file.as_slice().get(range.clone()).unwrap_or_default(),
        }
    }

    /// As the kernels take them.
    pub(crate) fn view(&self) -> candle_core::Result<QuantizedMatrix<'_>> {
        QuantizedMatrix::new(self.format, self.bytes(), self.inputs, self.outputs).ok_or_else(|| {
            candle_core::Error::Msg(format!(
                "{} x {} weights do not fit {:?}",
                self.outputs, self.inputs, self.format
            ))
        })
    }
}

fn quantize_rows(format: Format, inputs: usize, rows: &[f32]) -> Result<Vec<u8>> {
    let dtype = match format {
        Format::Int8 => {
            let mut bytes = Vec::new();
            rows.chunks_exact(inputs).for_each(|row| quantize_int8(row, &mut bytes));
            return Ok(bytes);
        }
        Format::Q8_0 => GgmlDType::Q8_0,
        Format::Q4_0 => GgmlDType::Q4_0,
        Format::Q4_1 => GgmlDType::Q4_1,
        Format::Q5_0 => GgmlDType::Q5_0,
        Format::Q5_1 => GgmlDType::Q5_1,
        Format::Q6K => GgmlDType::Q6K,
        Format::Q5K => GgmlDType::Q5K,
        Format::Q4K => GgmlDType::Q4K,
    };
    let rows = Tensor::from_slice(rows, (rows.len() / inputs, inputs), &Device::Cpu)?;
    Ok(QTensor::quantize(&rows, dtype)?.data()?.into_owned())
}
