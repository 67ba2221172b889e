//! Dtypes by name: the one place that knows which there are.

use anyhow::{Result, anyhow};
use longsight_kernels::roofline::Arithmetic;
use longsight_models::{LoadSettings, WeightDtype};

/// How a checkpoint is loaded, from `--dtype` and `--vision-dtype`.
pub(crate) fn load_settings(dtype: &str, vision_dtype: Option<&str>) -> Result<LoadSettings> {
    let vision_dtype = vision_dtype.map(parse).transpose()?;
    Ok(LoadSettings { dtype: Some(parse(dtype)?), vision_dtype, ..LoadSettings::default() })
}

/// A dtype as the command line spells it.
pub(crate) fn parse(name: &str) -> Result<WeightDtype> {
    name.parse().map_err(|message: String| anyhow!(message))
}

/// The arithmetic that products of weights in `dtype` run in: the peak that a rate is compared with.
pub(crate) fn arithmetic(dtype: &str) -> Arithmetic {
    match parse(dtype).ok() {
        Some(WeightDtype::Bf16) if ["amx", "avx512bf16"].contains(&longsight_kernels::instruction_set()) => {
            Arithmetic::Bf16
        }
        // Storage types: the kernels widen them and compute in f32.
        Some(dtype) if dtype.float().is_some() => Arithmetic::F32,
        _ => Arithmetic::Int8,
    }
}

/// Bytes of one stored weight, scales of blocks included; None where the dtype is not known.
pub(crate) fn bytes_per_weight(dtype: &str) -> Option<f64> {
    const ROW: usize = 1 << 12;
    parse(dtype).ok().map(|dtype| dtype.bytes(&[1, ROW], true) as f64 / ROW as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        assert_eq!(load_settings("bf16", None).unwrap().dtype, Some(WeightDtype::Bf16));
        let apart = load_settings("q4k", Some("int8")).unwrap();
        assert_eq!((apart.dtype, apart.vision_dtype), (Some(WeightDtype::Q4K), Some(WeightDtype::Int8)));
        assert!(load_settings("f31", None).unwrap_err().to_string().contains("`f31`"));
        assert_eq!(bytes_per_weight("q8_0"), Some(34.0 / 32.0));
    }
}
