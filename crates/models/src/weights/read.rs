//! Reads one tensor into its final buffer.

use super::TensorInfo;
use candle_core::{DType, Device, Tensor, WithDType};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

/// Values converted at a time when the dtype changes.
const PIECE_VALUES: usize = 1 << 18;

pub(super) enum Failed {
    Io(std::io::Error),
    Tensor(candle_core::Error),
}

impl From<std::io::Error> for Failed {
    fn from(e: std::io::Error) -> Self {
        Self::Io(e)
    }
}

/// A stored number: plain little-endian bytes, and to and from f32.
trait Stored: WithDType + bytemuck::Pod {
    fn widen(from: &[Self], to: &mut [f32]);
    fn narrow(from: &[f32], to: &mut [Self]);
}

impl Stored for f32 {
    fn widen(from: &[Self], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
    fn narrow(from: &[f32], to: &mut [Self]) {
        to.copy_from_slice(from);
    }
}

/// Read only: no weights are f64 in memory.
impl Stored for f64 {
    fn widen(from: &[Self], to: &mut [f32]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
    }
    fn narrow(from: &[f32], to: &mut [Self]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = f64::from(*from));
    }
}

impl Stored for bf16 {
    fn widen(from: &[Self], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }
    fn narrow(from: &[f32], to: &mut [Self]) {
        to.convert_from_f32_slice(from);
    }
}

impl Stored for f16 {
    fn widen(from: &[Self], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }
    fn narrow(from: &[f32], to: &mut [Self]) {
        to.convert_from_f32_slice(from);
    }
}

/// Values `first ..` of the tensor at `info`, as f32: as many as `out` holds.
pub(super) fn widened(file: &File, info: &TensorInfo, first: usize, out: &mut [f32]) -> Result<(), Failed> {
    match info.dtype {
        DType::F64 => piece::<f64>(file, info, first, out),
        DType::F32 => piece::<f32>(file, info, first, out),
        DType::BF16 => piece::<bf16>(file, info, first, out),
        DType::F16 => piece::<f16>(file, info, first, out),
        other => Err(unsupported(other)),
    }
}

fn piece<From: Stored>(file: &File, info: &TensorInfo, first: usize, out: &mut [f32]) -> Result<(), Failed> {
    let mut file = file;
    file.seek(SeekFrom::Start(info.offset_bytes + (first * size_of::<From>()) as u64))?;
    let mut raw = vec![From::zeroed(); PIECE_VALUES.min(out.len())];
    for out in out.chunks_mut(PIECE_VALUES) {
        let raw = &mut raw[..out.len()];
        file.read_exact(bytemuck::cast_slice_mut(raw))?;
        From::widen(raw, out);
    }
    Ok(())
}

/// Reads the tensor at `info` and converts it to `dtype` (f32, bf16 or f16) on `device`.
pub(super) fn tensor(
    file: &File,
    info: &TensorInfo,
    dtype: DType,
    device: &Device,
) -> Result<Tensor, Failed> {
    match dtype {
        DType::F32 => stored_as::<f32>(file, info, device),
        DType::BF16 => stored_as::<bf16>(file, info, device),
        DType::F16 => stored_as::<f16>(file, info, device),
        other => Err(unsupported(other)),
    }
}

/// Writes the tensor at `info` as `dtype` (f32, bf16 or f16), little-endian.
pub(super) fn convert(
    file: &File,
    info: &TensorInfo,
    dtype: DType,
    to: &mut dyn Write,
) -> Result<(), Failed> {
    let written = match dtype {
        DType::F32 => to.write_all(bytemuck::cast_slice(&read_as::<f32>(file, info)?)),
        DType::BF16 => to.write_all(bytemuck::cast_slice(&read_as::<bf16>(file, info)?)),
        DType::F16 => to.write_all(bytemuck::cast_slice(&read_as::<f16>(file, info)?)),
        other => return Err(unsupported(other)),
    };
    Ok(written?)
}

fn unsupported(dtype: DType) -> Failed {
    Failed::Tensor(candle_core::Error::Msg(format!("weights cannot be {}", dtype.as_str())))
}

fn stored_as<To: Stored>(file: &File, info: &TensorInfo, device: &Device) -> Result<Tensor, Failed> {
    Tensor::from_vec(read_as::<To>(file, info)?, info.shape.as_slice(), device).map_err(Failed::Tensor)
}

fn read_as<To: Stored>(file: &File, info: &TensorInfo) -> Result<Vec<To>, Failed> {
    match info.dtype {
        DType::F64 => values::<f64, To>(file, info),
        DType::F32 => values::<f32, To>(file, info),
        DType::BF16 => values::<bf16, To>(file, info),
        DType::F16 => values::<f16, To>(file, info),
        other => Err(unsupported(other)),
    }
}

fn values<From: Stored, To: Stored>(file: &File, info: &TensorInfo) -> Result<Vec<To>, Failed> {
    let count = info.shape.iter().product();
    let mut out = Vec::new();
    // A sparse file can announce more than there is memory: running out must be an error, not the end of the process.
    out.try_reserve_exact(count).map_err(|_| std::io::Error::from(std::io::ErrorKind::OutOfMemory))?;
    out.resize(count, To::zeroed());
    if From::DTYPE == To::DTYPE {
        let mut file = file;
        file.seek(SeekFrom::Start(info.offset_bytes))?;
        file.read_exact(bytemuck::cast_slice_mut(&mut out))?;
        return Ok(out);
    }
    let mut wide = vec![0f32; PIECE_VALUES.min(out.len())];
    for (i, to) in out.chunks_mut(PIECE_VALUES).enumerate() {
        let wide = &mut wide[..to.len()];
        piece::<From>(file, info, i * PIECE_VALUES, wide)?;
        To::narrow(wide, to);
    }
    Ok(out)
}
