//! Dtypes by name: the one place that knows which there are.

use anyhow::{Result, bail, ensure};
use longsight_kernels::roofline::Arithmetic;
use longsight_models::{DType, Device, LoadSettings};

/// How a checkpoint is loaded, from `--dtype` and `--vision-dtype`.
pub(crate) fn load_settings(dtype: &str, vision_dtype: Option<&str>) -> Result<LoadSettings> {
    let vision = vision_dtype.unwrap_or(dtype);
    ensure!(
        vision == dtype,
        "--vision-dtype {vision} with --dtype {dtype}: this build loads both parts in one dtype; give one"
    );
    Ok(LoadSettings { device: Device::Cpu, dtype: Some(parse(dtype)?) })
}

fn parse(name: &str) -> Result<DType> {
    Ok(match name {
        "f32" => DType::F32,
        "bf16" => DType::BF16,
        "f16" => DType::F16,
        other => bail!("dtype {other} is not known to this build; it has f32, bf16 and f16"),
    })
}

/// The arithmetic that products of weights in `dtype` run in: the peak that a rate is compared with.
pub(crate) fn arithmetic(dtype: &str) -> Arithmetic {
    match dtype {
        // Storage types: the kernels widen them and compute in f32.
        "f32" | "bf16" | "f16" => Arithmetic::F32,
        _ => Arithmetic::Int8,
    }
}

/// Bytes of one stored weight, scales of blocks included; None where the dtype is not known.
pub(crate) fn bytes_per_weight(dtype: &str) -> Option<f64> {
    parse(dtype).ok().map(|dtype| dtype.size_in_bytes() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        assert_eq!(load_settings("bf16", None).unwrap().dtype, Some(DType::BF16));
        assert_eq!(load_settings("f32", Some("f32")).unwrap().dtype, Some(DType::F32));
        assert!(load_settings("f32", Some("f16")).unwrap_err().to_string().contains("--vision-dtype f16"));
        assert!(load_settings("f31", None).unwrap_err().to_string().contains("dtype f31"));
    }
}
