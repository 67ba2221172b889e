//! Probes of x86-64's vector instructions, chosen at run time.

use super::probe::{Arithmetic, CHAINS, F32_FACTOR, F32_TERM, Probe};
use crate::isa::{self, Level, has_avx_vnni, has_avx512_bf16, level};
use std::arch::x86_64::*;
use std::hint::black_box;

/// The widest probe that this CPU runs.
pub(super) fn probe(arithmetic: Arithmetic) -> Option<Probe> {
    let probe = |instructions, multiply_adds, run| Some(Probe { instructions, multiply_adds, run });
    match arithmetic {
        Arithmetic::F32 if has_avx512() => probe("vfmadd231ps zmm", 16, f32_avx512),
        Arithmetic::F32 if has_avx2() => probe("vfmadd231ps ymm", 8, f32_avx2),
        Arithmetic::Bf16 if has_avx512() && has_avx512_bf16() => probe("vdpbf16ps zmm", 32, bf16_avx512),
        Arithmetic::Int8 if has_vnni() => probe("vpdpbusd zmm", 64, int8_vnni),
        Arithmetic::Int8 if has_avx_vnni() => probe("vpdpbusd ymm", 32, int8_avx_vnni),
        Arithmetic::Int8 if has_avx512() => probe("vpmaddubsw + vpmaddwd + vpaddd zmm", 64, int8_avx512),
        Arithmetic::Int8 if has_avx2() => probe("vpmaddubsw + vpmaddwd + vpaddd ymm", 32, int8_avx2),
        Arithmetic::Int16 if has_vnni() => probe("vpdpwssd zmm", 32, int16_vnni),
        Arithmetic::Int16 if has_avx_vnni() => probe("vpdpwssd ymm", 16, int16_avx_vnni),
        Arithmetic::Int16 if has_avx512() => probe("vpmaddwd + vpaddd zmm", 32, int16_avx512),
        Arithmetic::Int16 if has_avx2() => probe("vpmaddwd + vpaddd ymm", 16, int16_avx2),
        _ => None,
    }
}

fn has_avx2() -> bool {
    level() != Level::Baseline
}

fn has_avx512() -> bool {
    level() == Level::Avx512
}

fn has_vnni() -> bool {
    has_avx512() && isa::has_vnni()
}

/// Defines a safe `fn NAME(steps) -> f64`, only to be called where `probe` has found the features: `CHAINS` registers
/// that begin at START of the chain's number, each replaced by STEP of itself and of the operand A in every step.
macro_rules! chains {
    ($name:ident, $features:literal, $operand:expr, $start:expr, $step:expr, $first_lane:expr) => {
        fn $name(steps: usize) -> f64 {
            #[target_feature(enable = $features)]
            fn chains(steps: usize) -> f64 {
                let operand = black_box($operand);
                let mut chains: [_; CHAINS] = std::array::from_fn(|chain| black_box($start(chain as i32)));
                for _ in 0..steps {
                    for x in &mut chains {
                        *x = $step(*x, operand);
                    }
                }
                chains.into_iter().map(|x| f64::from($first_lane(x))).sum()
            }
            // SAFETY: private, and `probe` names it only where the CPU has the features.
            #[allow(unsafe_code)]
            unsafe {
                chains(steps)
            }
        }
    };
}

chains!(
    f32_avx2,
    "avx2,fma",
    (_mm256_set1_ps(F32_FACTOR), _mm256_set1_ps(F32_TERM)),
    |chain: i32| _mm256_set1_ps(chain as f32),
    |x, (factor, term)| _mm256_fmadd_ps(x, factor, term),
    |x| _mm256_cvtss_f32(x)
);
chains!(
    f32_avx512,
    "avx512f",
    (_mm512_set1_ps(F32_FACTOR), _mm512_set1_ps(F32_TERM)),
    |chain: i32| _mm512_set1_ps(chain as f32),
    |x, (factor, term)| _mm512_fmadd_ps(x, factor, term),
    |x| _mm512_cvtss_f32(x)
);
chains!(
    bf16_avx512,
    "avx512f,avx512bf16",
    _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.125), _mm512_set1_ps(0.125)),
    |chain: i32| _mm512_set1_ps(chain as f32),
    |x, a| _mm512_dpbf16_ps(x, a, a),
    |x| _mm512_cvtss_f32(x)
);
// The products depend on the chain itself, or the compiler would compute them once.
chains!(
    int8_avx2,
    "avx2",
    (_mm256_set1_epi8(3), _mm256_set1_epi16(1)),
    |chain| _mm256_set1_epi32(chain),
    |x, (a, ones)| _mm256_add_epi32(x, _mm256_madd_epi16(_mm256_maddubs_epi16(x, a), ones)),
    |x| _mm256_cvtsi256_si32(x)
);
chains!(
    int8_avx512,
    "avx512f,avx512bw",
    (_mm512_set1_epi8(3), _mm512_set1_epi16(1)),
    |chain| _mm512_set1_epi32(chain),
    |x, (a, ones)| _mm512_add_epi32(x, _mm512_madd_epi16(_mm512_maddubs_epi16(x, a), ones)),
    |x| _mm512_cvtsi512_si32(x)
);
chains!(
    int8_vnni,
    "avx512f,avx512vnni",
    _mm512_set1_epi8(3),
    |chain| _mm512_set1_epi32(chain),
    |x, a| _mm512_dpbusd_epi32(x, a, a),
    |x| _mm512_cvtsi512_si32(x)
);
chains!(
    int8_avx_vnni,
    "avx2,avxvnni",
    _mm256_set1_epi8(3),
    |chain| _mm256_set1_epi32(chain),
    |x, a| _mm256_dpbusd_avx_epi32(x, a, a),
    |x| _mm256_cvtsi256_si32(x)
);
chains!(
    int16_avx2,
    "avx2",
    _mm256_set1_epi16(3),
    |chain| _mm256_set1_epi32(chain),
    |x, a| _mm256_add_epi32(x, _mm256_madd_epi16(x, a)),
    |x| _mm256_cvtsi256_si32(x)
);
chains!(
    int16_avx512,
    "avx512f,avx512bw",
    _mm512_set1_epi16(3),
    |chain| _mm512_set1_epi32(chain),
    |x, a| _mm512_add_epi32(x, _mm512_madd_epi16(x, a)),
    |x| _mm512_cvtsi512_si32(x)
);
chains!(
    int16_vnni,
    "avx512f,avx512vnni",
    _mm512_set1_epi16(3),
    |chain| _mm512_set1_epi32(chain),
    |x, a| _mm512_dpwssd_epi32(x, a, a),
    |x| _mm512_cvtsi512_si32(x)
);
chains!(
    int16_avx_vnni,
    "avx2,avxvnni",
    _mm256_set1_epi16(3),
    |chain| _mm256_set1_epi32(chain),
    |x, a| _mm256_dpwssd_avx_epi32(x, a, a),
    |x| _mm256_cvtsi256_si32(x)
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of all chains after `steps` of `step`, in plain integers.
    fn expected(steps: usize, step: impl Fn(i32) -> i32) -> f64 {
        (0..CHAINS as i32).map(|start| f64::from((0..steps).fold(start, |x, _| step(x)))).sum()
    }

    /// `vpmaddubsw` with 3s, `vpmaddwd` with ones: bytes unsigned, pairs never reach the limit of 16 bits.
    fn three_times_bytes(x: i32) -> i32 {
        x.wrapping_add(x.to_le_bytes().iter().map(|byte| 3 * i32::from(*byte)).sum())
    }

    fn three_times_halves(x: i32) -> i32 {
        let [a, b, c, d] = x.to_le_bytes();
        let pair = i32::from(i16::from_le_bytes([a, b])) + i32::from(i16::from_le_bytes([c, d]));
        x.wrapping_add(3 * pair)
    }

    #[test]
    fn avx2_probes_compute_what_they_say() {
        if !has_avx2() {
            return;
        }
        for steps in [1, 50] {
            assert_eq!(int8_avx2(steps), expected(steps, three_times_bytes));
            assert_eq!(int16_avx2(steps), expected(steps, three_times_halves));
        }
    }

    #[test]
    fn avx512_probes_compute_what_they_say() {
        if has_avx512() {
            assert_eq!(int8_avx512(50), expected(50, three_times_bytes));
            assert_eq!(int16_avx512(50), expected(50, three_times_halves));
        }
        if has_vnni() {
            assert_eq!(int8_vnni(50), expected(50, |x| x + 4 * 9));
            assert_eq!(int16_vnni(50), expected(50, |x| x + 2 * 9));
        }
        if has_avx512() && has_avx512_bf16() {
            let start: usize = (0..CHAINS).sum();
            assert_eq!(bf16_avx512(64), start as f64 + (CHAINS * 64) as f64 * 2.0 * 0.125 * 0.125);
        }
        if has_avx_vnni() {
            assert_eq!(int8_avx_vnni(50), expected(50, |x| x + 4 * 9));
            assert_eq!(int16_avx_vnni(50), expected(50, |x| x + 2 * 9));
        }
    }
}
