use candle_core::{DType, Device};

/// The dtype of activations over weights of `dtype`: floats of 16 bits become f32 on the CPU, where neither backend
/// multiplies by them as they are.
pub(crate) fn activation_dtype(dtype: DType, device: &Device) -> DType {
    match dtype {
        DType::F16 | DType::BF16 if device.is_cpu() => DType::F32,
        dtype => dtype,
    }
}
