//! Bodies written once and compiled for each instruction set, and the few scalar functions that the compiler can vectorise.
//!
//! A kernel's body is written once, generic over [`Fma`], and [`dispatch!`] compiles it for AVX-512, AVX2 and the
//! baseline. The baseline must not call `mul_add`: without an FMA instruction that is a slow library call.

use half::{bf16, f16};

/// How `a * b + c` is computed.
pub(crate) trait Fma {
    /// Whether code for this type is compiled with AVX2 and F16C (x86-64) or NEON (aarch64), and run only where the CPU has
    /// them.
    const VECTORS: bool;

    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// One rounding, by the FMA instruction.
pub(crate) struct Fused;
/// Two roundings, for targets without FMA.
#[cfg_attr(target_arch = "aarch64", allow(dead_code))] // every such CPU has FMA
pub(crate) struct Separate;

impl Fma for Fused {
    const VECTORS: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

impl Fma for Separate {
    const VECTORS: bool = false;

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// Defines `fn $name(args)` that runs `$body::<Fused>` compiled for the best instruction set of this CPU. Generics of its own
/// come in brackets, as they are declared and as they are named: `fn $name[const N: usize][N](args)`.
macro_rules! dispatch {
    ($(#[$doc:meta])* $vis:vis fn $name:ident $([$($generic:tt)*][$($named:tt)*])? ($($arg:ident: $ty:ty),* $(,)?)
     $(-> $ret:ty)? = $body:ident) => {
        $(#[$doc])*
        $vis fn $name $(<$($generic)*>)? ($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
                fn avx512 $(<$($generic)*>)? ($($arg: $ty),*) $(-> $ret)? {
                    $body::<$crate::simd::Fused $(, $($named)*)?>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                fn avx2 $(<$($generic)*>)? ($($arg: $ty),*) $(-> $ret)? {
                    $body::<$crate::simd::Fused $(, $($named)*)?>($($arg),*)
                }
                match $crate::isa::level() {
                    // SAFETY: `level` has checked that the CPU has every feature of the function called.
                    #[allow(unsafe_code)]
                    $crate::isa::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    $crate::isa::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::isa::Level::Baseline => {}
                }
            }
            #[cfg(target_arch = "aarch64")]
            return $body::<$crate::simd::Fused $(, $($named)*)?>($($arg),*);
            #[cfg(not(target_arch = "aarch64"))]
            $body::<$crate::simd::Separate $(, $($named)*)?>($($arg),*)
        }
    };
}
pub(crate) use dispatch;

/// e^x for x <= 88, without branches: 2^n by exponent bits times a degree-6 polynomial (relative error < 3e-7).
/// Below -87 the result is 0, which is what softmax wants of a masked score.
#[inline(always)]
pub(crate) fn exp<F: Fma>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to the nearest integer
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = F::mul_add(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts keeps the remainder exact.
    let r = F::mul_add(n, -0.693_359_4, clamped);
    let r = F::mul_add(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    p = F::mul_add(p, r, 1.398_199_9e-3);
    p = F::mul_add(p, r, 8.333_452e-3);
    p = F::mul_add(p, r, 4.166_579_6e-2);
    p = F::mul_add(p, r, 1.666_666_5e-1);
    p = F::mul_add(p, r, 5e-1);
    p = F::mul_add(p * r, r, r) + 1.0;
    let bits = (shifted.to_bits().wrapping_shl(23)).wrapping_add(p.to_bits());
    if x < -87.0 { 0.0 } else { f32::from_bits(bits) }
}

#[inline(always)]
fn widen_bf16_body<F: Fma>(from: &[bf16], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = f32::from_bits(u32::from(from.to_bits()) << 16);
    }
}
dispatch!(pub(crate) fn widen_bf16(from: &[bf16], to: &mut [f32]) = widen_bf16_body);

/// f16 to f32 by integer arithmetic that vectorises: exact for every finite value, subnormals included.
#[inline(always)]
pub(crate) fn widen_f16(v: f16) -> f32 {
    const TWO_POW_112: f32 = f32::from_bits((127 + 112) << 23); // rebiases the exponent from 15 to 127
    let bits = u32::from(v.to_bits());
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * TWO_POW_112;
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_3e_7_of_f64() {
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let expected = f64::from(x).exp();
            for got in [exp::<Separate>(x), exp::<Fused>(x)] {
                assert!(
                    (f64::from(got) - expected).abs() <= 3e-7 * expected,
                    "exp({x}) = {got}, not {expected}"
                );
            }
        }
        assert_eq!(exp::<Separate>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp::<Separate>(0.0), 1.0);
    }

    #[test]
    fn f16_widening_is_exact_for_every_finite_value() {
        for bits in 0..=u16::MAX {
            let v = f16::from_bits(bits);
            if v.is_finite() {
                assert_eq!(widen_f16(v).to_bits(), v.to_f32().to_bits(), "{bits:#x}");
            }
        }
    }
}
