//! Numbers in one of the storage types, widened to f32 where they are used.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A slice of stored numbers (weights, biases or cached keys and values).
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// IEEE single precision.
    F32(&'a [f32]),
    /// bfloat16: the upper half of an f32.
    Bf16(&'a [bf16]),
    /// IEEE half precision.
    F16(&'a [f16]),
}

impl<'a> Values<'a> {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::Bf16(v) => v.len(),
            Self::F16(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values from `start` on; none where there are fewer.
    pub fn skip(&self, start: usize) -> Values<'a> {
        let start = start.min(self.len());
        self.part(start, self.len() - start)
    }

    /// The values `start .. start + len`.
    ///
    /// # Panics
    /// When the range is outside the slice; kernels check their shapes before they come here.
    pub(crate) fn part(&self, start: usize, len: usize) -> Values<'a> {
        match self {
            Self::F32(v) => Values::F32(&v[start..start + len]),
            Self::Bf16(v) => Values::Bf16(&v[start..start + len]),
            Self::F16(v) => Values::F16(&v[start..start + len]),
        }
    }

    /// The values as f32, of which there are `len`.
    ///
    /// # Panics
    /// Where there are more or fewer.
    pub(crate) fn to_floats(self, len: usize) -> Vec<f32> {
        assert_eq!(self.len(), len, "a bias has the wrong length");
        let mut wide = vec![0f32; len];
        self.widen(&mut wide);
        wide
    }

    /// Writes the values as f32 into `out`, which has the same length.
    pub(crate) fn widen(&self, out: &mut [f32]) {
        match self {
            Self::F32(v) => out.copy_from_slice(v),
            Self::Bf16(v) => crate::simd::widen_bf16(v, out),
            Self::F16(v) => v.convert_to_f32_slice(out),
        }
    }
}
