//! Slices out of candle's CPU storage.

use candle_core::{CpuStorage, Layout, Result, bail};
use longsight_kernels::Values;

/// The contiguous f32 values of a tensor.
pub(super) fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("kernel input is not contiguous") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// The contiguous f32 values of a tensor, to change in place.
pub(super) fn floats_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("kernel target is not contiguous") };
    match storage {
        CpuStorage::F32(v) => Ok(&mut v[start..end]),
        _ => bail!("CPU kernels compute in f32"),
    }
}

/// All stored values from a tensor's first on, whatever its strides.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Values<'a>> {
    let start = layout.start_offset();
    match storage {
        CpuStorage::F32(v) => Ok(Values::F32(&v[start..])),
        CpuStorage::BF16(v) => Ok(Values::Bf16(&v[start..])),
        CpuStorage::F16(v) => Ok(Values::F16(&v[start..])),
        _ => bail!("weights and caches are f32, bf16 or f16"),
    }
}

/// Like [`values`] for a contiguous tensor, cut to its own length.
pub(super) fn contiguous_values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Values<'a>> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("kernel input is not contiguous") };
    match storage {
        CpuStorage::F32(v) => Ok(Values::F32(&v[start..end])),
        CpuStorage::BF16(v) => Ok(Values::Bf16(&v[start..end])),
        CpuStorage::F16(v) => Ok(Values::F16(&v[start..end])),
        _ => bail!("weights and caches are f32, bf16 or f16"),
    }
}
