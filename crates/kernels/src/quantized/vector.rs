//! Steps over one block of 8- or 16-bit integers: AVX2 or NEON where the code is compiled for it, else portable (which
//! compilers make vectors of, but for sums by lanes).

use super::block::{BLOCK, SUBBLOCKS};
use crate::simd::{Fma, widen_f16};
use half::f16;

/// Values that share a factor in [`widen_times`].
pub(crate) const SCALED: usize = 16;

/// Partial sums of a dot product: lane l has the pairs 2 l and 2 l + 1 of every 16.
pub(crate) const LANES: usize = 8;
pub(crate) type Lanes = [i32; LANES];

/// Sums of `a[i] b[i]` by lanes.
#[inline(always)]
pub(crate) fn dot<F: Fma>(a: &[i16; BLOCK], b: &[i16; BLOCK]) -> Lanes {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::dot(a, b) };
    }
    #[cfg(target_arch = "aarch64")]
    if F::VECTORS {
        // SAFETY: the CPU has NEON, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { neon::dot(a, b) };
    }
    let mut lanes = [0; LANES];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        lanes[i / 2 % LANES] += i32::from(*a) * i32::from(*b);
    }
    lanes
}

/// The same for `N` int8 codes, a multiple of 16, and as many values.
#[inline(always)]
pub(crate) fn dot_codes<F: Fma, const N: usize>(codes: &[u8; N], b: &[i16; N]) -> Lanes {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::dot_codes(codes, b) };
    }
    #[cfg(target_arch = "aarch64")]
    if F::VECTORS {
        // SAFETY: the CPU has NEON, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { neon::dot_codes(codes, b) };
    }
    let mut lanes = [0; LANES];
    for (i, (a, b)) in codes.iter().zip(b).enumerate() {
        lanes[i / 2 % LANES] += i32::from(*a as i8) * i32::from(*b);
    }
    lanes
}

/// Adds sums by lanes, times a scale. In vectors by hand: compilers mix these lanes with what is beside them.
#[inline(always)]
pub(crate) fn add_scaled<F: Fma>(sums: Lanes, scale: f32, to: &mut [f32; LANES]) {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::add_scaled(sums, scale, to) };
    }
    to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum as f32 * scale);
}

/// A stored f16.
#[inline(always)]
pub(crate) fn widen_half<F: Fma>(bytes: [u8; 2]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has F16C, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::widen_half(u16::from_le_bytes(bytes)) };
    }
    widen_f16(f16::from_le_bytes(bytes))
}

/// Bytes as int8.
#[inline(always)]
pub(crate) fn widen(codes: &[u8; BLOCK], to: &mut [i16; BLOCK]) {
    to.iter_mut().zip(codes).for_each(|(to, code)| *to = i16::from(*code as i8));
}

/// Bytes as int8, times a factor for each 16.
#[inline(always)]
pub(crate) fn widen_times<F: Fma>(
    codes: &[u8; BLOCK],
    factors: &[i16; BLOCK / SCALED],
    to: &mut [i16; BLOCK],
) {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::widen_times(codes, factors, to) };
    }
    for (i, (to, code)) in to.iter_mut().zip(codes).enumerate() {
        *to = i16::from(*code as i8).wrapping_mul(factors[i / SCALED]);
    }
}

/// Bytes as int8, times a factor for each 32, over 128 (rounded half up).
#[inline(always)]
pub(crate) fn widen_fraction<F: Fma>(codes: &[u8; BLOCK], factors: &[i16; SUBBLOCKS], to: &mut [i16; BLOCK]) {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says.
        #[allow(unsafe_code)]
        return unsafe { x86::widen_fraction(codes, factors, to) };
    }
    for (i, (to, code)) in to.iter_mut().zip(codes).enumerate() {
        *to = ((i32::from(*code as i8) * i32::from(factors[i * SUBBLOCKS / BLOCK]) + 64) >> 7) as i16;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Lanes, SCALED, SUBBLOCKS};
    use std::arch::x86_64::*;

    /// 16-bit lanes of a vector.
    const LANES: usize = 16;

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn dot(a: &[i16; BLOCK], b: &[i16; BLOCK]) -> Lanes {
        let mut sums = [_mm256_setzero_si256(); 2];
        for at in (0..BLOCK).step_by(2 * LANES) {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = at + part * LANES;
                // SAFETY: at + LANES <= BLOCK.
                let product = unsafe {
                    _mm256_madd_epi16(
                        _mm256_loadu_si256(a.as_ptr().add(at).cast()),
                        _mm256_loadu_si256(b.as_ptr().add(at).cast()),
                    )
                };
                *sum = _mm256_add_epi32(*sum, product);
            }
        }
        lanes(_mm256_add_epi32(sums[0], sums[1]))
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    fn lanes(sums: __m256i) -> Lanes {
        let mut lanes = [0; super::LANES];
        // SAFETY: eight sums have room.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums) };
        lanes
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn dot_codes<const N: usize>(codes: &[u8; N], b: &[i16; N]) -> Lanes {
        let mut sum = _mm256_setzero_si256();
        for (codes, b) in codes.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
            // SAFETY: 16 bytes and 16 values are there.
            let (codes, b) =
                unsafe { (_mm_loadu_si128(codes.as_ptr().cast()), _mm256_loadu_si256(b.as_ptr().cast())) };
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(codes), b));
        }
        lanes(sum)
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn add_scaled(sums: Lanes, scale: f32, to: &mut [f32; super::LANES]) {
        // SAFETY: eight sums and eight values are there.
        unsafe {
            let sums = _mm256_cvtepi32_ps(_mm256_loadu_si256(sums.as_ptr().cast()));
            let product = _mm256_mul_ps(sums, _mm256_set1_ps(scale));
            _mm256_storeu_ps(to.as_mut_ptr(), _mm256_add_ps(_mm256_loadu_ps(to.as_ptr()), product));
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    pub(super) fn widen_half(bits: u16) -> f32 {
        _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(bits))))
    }

    /// `codes[16 i ..]` as 16-bit lanes.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    fn wide(codes: &[u8; BLOCK], i: usize) -> __m256i {
        let codes = &codes[i * LANES..][..LANES];
        // SAFETY: 16 bytes are there.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(codes.as_ptr().cast()) })
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(values: __m256i, to: &mut [i16; BLOCK], i: usize) {
        let to = &mut to[i * LANES..][..LANES];
        // SAFETY: 16 values have room.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), values) };
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn widen_times(codes: &[u8; BLOCK], factors: &[i16; BLOCK / SCALED], to: &mut [i16; BLOCK]) {
        for (i, factor) in factors.iter().enumerate() {
            store(_mm256_mullo_epi16(wide(codes, i), _mm256_set1_epi16(*factor)), to, i);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn widen_fraction(codes: &[u8; BLOCK], factors: &[i16; SUBBLOCKS], to: &mut [i16; BLOCK]) {
        for i in 0..BLOCK / LANES {
            let factor = _mm256_set1_epi16(factors[i * LANES * SUBBLOCKS / BLOCK]);
            // (256 code x factor + 2^14) >> 15
            store(_mm256_mulhrs_epi16(_mm256_slli_epi16::<8>(wide(codes, i)), factor), to, i);
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{BLOCK, Lanes};
    use std::arch::aarch64::*;

    /// Values a step: two vectors.
    const STEP: usize = 16;

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn dot(a: &[i16; BLOCK], b: &[i16; BLOCK]) -> Lanes {
        let mut sums = [vdupq_n_s32(0); 4];
        for (a, b) in a.as_chunks::<STEP>().0.iter().zip(b.as_chunks::<STEP>().0) {
            // SAFETY: sixteen values are there.
            let a = unsafe { [vld1q_s16(a.as_ptr()), vld1q_s16(a[STEP / 2..].as_ptr())] };
            add(&mut sums, a, b);
        }
        lanes(sums)
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn dot_codes<const N: usize>(codes: &[u8; N], b: &[i16; N]) -> Lanes {
        let mut sums = [vdupq_n_s32(0); 4];
        for (codes, b) in codes.as_chunks::<STEP>().0.iter().zip(b.as_chunks::<STEP>().0) {
            // SAFETY: sixteen bytes are there.
            let codes = unsafe { vld1q_s8(codes.as_ptr().cast()) };
            add(&mut sums, [vmovl_s8(vget_low_s8(codes)), vmovl_high_s8(codes)], b);
        }
        lanes(sums)
    }

    /// Products of values 0 to 3, 4 to 7, 8 to 11 and 12 to 15.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "neon")]
    fn add(sums: &mut [int32x4_t; 4], a: [int16x8_t; 2], b: &[i16; STEP]) {
        // SAFETY: sixteen values are there.
        let b = unsafe { [vld1q_s16(b.as_ptr()), vld1q_s16(b[STEP / 2..].as_ptr())] };
        for (half, (a, b)) in a.into_iter().zip(b).enumerate() {
            sums[2 * half] = vmlal_s16(sums[2 * half], vget_low_s16(a), vget_low_s16(b));
            sums[2 * half + 1] = vmlal_high_s16(sums[2 * half + 1], a, b);
        }
    }

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "neon")]
    fn lanes(sums: [int32x4_t; 4]) -> Lanes {
        let mut lanes = [0; super::LANES];
        // SAFETY: eight sums have room.
        unsafe {
            vst1q_s32(lanes.as_mut_ptr(), vpaddq_s32(sums[0], sums[1]));
            vst1q_s32(lanes[4..].as_mut_ptr(), vpaddq_s32(sums[2], sums[3]));
        }
        lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Fused, Separate};

    #[test]
    fn both_versions_agree_at_every_code_and_factor() {
        #[cfg(target_arch = "x86_64")]
        if crate::isa::level() == crate::isa::Level::Baseline {
            return;
        }
        for first in [0usize, 128] {
            let codes: [u8; BLOCK] = std::array::from_fn(|i| (first + i) as u8);
            for factor in (-4127..=4127).step_by(17) {
                let (mut a, mut b) = ([0; BLOCK], [0; BLOCK]);
                widen_fraction::<Fused>(&codes, &[factor, 1, -factor, 4127], &mut a);
                widen_fraction::<Separate>(&codes, &[factor, 1, -factor, 4127], &mut b);
                assert_eq!(a, b);
                let factors = std::array::from_fn(|i| (factor >> i) % 128);
                widen_times::<Fused>(&codes, &factors, &mut a);
                widen_times::<Separate>(&codes, &factors, &mut b);
                assert_eq!(a, b);
                assert_eq!(dot::<Fused>(&a, &b), dot::<Separate>(&a, &b));
                assert_eq!(dot_codes::<Fused, BLOCK>(&codes, &a), dot_codes::<Separate, BLOCK>(&codes, &a));
            }
        }
    }
}
