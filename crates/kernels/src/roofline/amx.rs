//! Probes of AMX.

use super::probe::{Arithmetic, CHAINS, Probe};
use crate::amx::{ROW_BYTES, ROWS, TileRegisters};
use crate::isa::{Feature, has_amx};
use crate::tiles::TILE_COLUMNS;

/// Registers that sums are kept in.
const SUMS: usize = 4;

pub(super) fn probe(arithmetic: Arithmetic) -> Option<Probe> {
    let probe = |instructions, inputs, run| {
        Some(Probe { instructions, multiply_adds: ROWS * TILE_COLUMNS * inputs, run })
    };
    match arithmetic {
        Arithmetic::Bf16 if has_amx(Feature::Bf16) => probe("tdpbf16ps", ROW_BYTES / 2, bf16),
        Arithmetic::Int8 if has_amx(Feature::Int8) => probe("tdpbssd", ROW_BYTES, int8),
        _ => None,
    }
}

/// Defines `fn NAME(steps) -> f64`: `CHAINS` products a step, three into each sum. Every byte of the factors is `$bytes`'s;
/// `$value` reads a sum of 32 bits.
macro_rules! products {
    ($name:ident, $feature:expr, $product:literal, $bytes:expr, $value:expr) => {
        fn $name(steps: usize) -> f64 {
            const { assert!(CHAINS == 3 * SUMS) };
            let _held = TileRegisters::claim($feature);
            let factors = [$bytes; ROWS * ROW_BYTES / 2];
            let mut sums = [[[0u8; 4]; ROWS * TILE_COLUMNS]; SUMS];
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the registers are configured for 16 rows of 64 bytes, as many as `factors` and each of `sums` have.
            #[allow(unsafe_code)]
            unsafe {
                macro_rules! four {
                    () => {
                        concat!(
                            $product, " tmm0, tmm4, tmm6\n", $product, " tmm1, tmm4, tmm7\n",
                            $product, " tmm2, tmm5, tmm6\n", $product, " tmm3, tmm5, tmm7\n",
                        )
                    };
                }
                std::arch::asm!(
                    "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                    "tileloadd tmm4, [{x} + {tight}]", "tileloadd tmm5, [{x} + {tight}]",
                    "tileloadd tmm6, [{x} + {tight}]", "tileloadd tmm7, [{x} + {tight}]",
                    "2:",
                    "sub {steps}, 1",
                    "jb 3f",
                    four!(), four!(), four!(),
                    "jmp 2b",
                    "3:",
                    "tilestored [{y} + {tight}], tmm0",
                    "tilestored [{y} + {tight} + 1024], tmm1",
                    "tilestored [{y} + {tight} + 2048], tmm2",
                    "tilestored [{y} + {tight} + 3072], tmm3",
                    x = in(reg) &factors,
                    y = in(reg) &mut sums,
                    steps = inout(reg) steps => _,
                    tight = in(reg) ROW_BYTES,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = (factors, steps, &mut sums);
            sums.iter().map(|sum| f64::from($value(sum[0]))).sum()
        }
    };
}
products!(
    bf16,
    Feature::Bf16,
    "tdpbf16ps",
    half::bf16::from_f32_const(0.125).to_le_bytes(),
    f32::from_le_bytes
);
products!(int8, Feature::Int8, "tdpbssd", [3u8; 2], i32::from_le_bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_compute_what_they_say() {
        for steps in [0, 1, 50] {
            if has_amx(Feature::Int8) {
                assert_eq!(int8(steps), (CHAINS * steps * ROW_BYTES * 9) as f64);
            }
            if has_amx(Feature::Bf16) {
                assert_eq!(bf16(steps), (CHAINS * steps * ROW_BYTES / 2) as f64 * 0.125 * 0.125);
            }
        }
    }
}
