//! `sums[r, c] = sum_g a[g, r] . b[g, c]` over pairs of i16: the innermost loop, one version an instruction set.

use super::layout::PackedBlock;
use super::layout::{ActivationTile, GROUPS, Pair, PanelSums, Sums, WeightTile};
use super::multiplier::Multiplier;
use crate::quantized::Format;
use crate::quantized::activations::ActivationBlock;
use crate::quantized::unpack::WeightBlock;
use crate::simd::Fma;
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, TILE_ROWS};
use crate::transpose::transpose;

/// Pairs of 16 bits, as the types say.
pub(crate) struct I16;

impl Multiplier<TILE_ROWS> for I16 {
    fn new(_format: Format) -> Self {
        Self
    }

    #[inline]
    fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile) {
        to.iter_mut().zip(x.values.as_chunks().0).for_each(|(to, pair)| to[r] = *pair);
    }

    #[inline(always)]
    fn store_columns<F: Fma>(&self, columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile) {
        transpose::<F, Pair>(columns.each_ref().map(|column| column.values.as_chunks().0), to);
    }

    #[inline(always)]
    fn panel_sums(
        &self,
        x: &PackedBlock<TILE_ROWS>,
        w: &[WeightTile; PANEL_TILES],
        sums: &mut PanelSums<TILE_ROWS>,
    ) -> usize {
        w.iter().zip(&mut sums.0).for_each(|(w, sums)| pair_sums(&x.values, w, &mut sums[0]));
        1
    }
}

/// The sums of one tile over one block.
#[inline]
fn pair_sums(a: &ActivationTile, b: &WeightTile, sums: &mut Sums) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::isa::{Level, has_vnni, level};
        match level() {
            // SAFETY: the CPU has the features of the function called, as just checked.
            #[allow(unsafe_code)]
            Level::Avx512 if has_vnni() => return unsafe { x86::tile_vnni(a, b, sums) },
            // SAFETY: as above.
            #[allow(unsafe_code)]
            Level::Avx512 => return unsafe { x86::tile_avx512(a, b, sums) },
            // SAFETY: as above.
            #[allow(unsafe_code)]
            Level::Avx2 => return unsafe { x86::tile_avx2(a, b, sums) },
            Level::Baseline => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    neon::tile(a, b, sums);
    #[cfg(not(target_arch = "aarch64"))]
    portable(a, b, sums);
}

/// For any CPU; the compiler vectorises the columns.
#[cfg_attr(target_arch = "aarch64", allow(dead_code))] // every such CPU has NEON
fn portable(a: &ActivationTile, b: &WeightTile, sums: &mut Sums) {
    *sums = [[0; TILE_COLUMNS]; TILE_ROWS];
    for (a, b) in a.iter().zip(b) {
        for (x, sums) in a.iter().zip(sums.iter_mut()) {
            for (w, sum) in b.iter().zip(sums.iter_mut()) {
                *sum += i32::from(x[0]) * i32::from(w[0]) + i32::from(x[1]) * i32::from(w[1]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{group, pass};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{ActivationTile, GROUPS, Sums, TILE_COLUMNS, TILE_ROWS, WeightTile};
    use std::arch::asm;
    use std::arch::x86_64::*;

    /// One group of inputs by 6 rows x 2 vectors, which are at `$w`: each row is its place in `x` and its two sums.
    macro_rules! group {
        ($multiply:literal $add:literal, $w:literal, $($x:literal $left:literal $right:literal),*) => {
            concat!(
                "vmovdqu ymm12, [{w} + ", $w, "]\n",
                "vmovdqu ymm13, [{w} + ", $w, " + 32]\n",
                $(
                    "vpbroadcastd ymm14, [{x} + ", $x, "]\n",
                    $multiply, " ymm15, ymm12, ymm14\n",
                    $multiply, " ymm14, ymm13, ymm14\n",
                    $add, " ymm", $left, ", ymm", $left, ", ymm15\n",
                    $add, " ymm", $right, ", ymm", $right, ", ymm14\n",
                )*
            )
        };
    }
    /// The sums of 6 rows x 2 vectors over `pairs` pairs of groups, in the first twelve registers.
    #[rustfmt::skip]
    macro_rules! pass {
        ($multiply:literal $add:literal) => {
            concat!(
                "vpxor xmm0, xmm0, xmm0\n",
                "vpxor xmm1, xmm1, xmm1\n",
                "vpxor xmm2, xmm2, xmm2\n",
                "vpxor xmm3, xmm3, xmm3\n",
                "vpxor xmm4, xmm4, xmm4\n",
                "vpxor xmm5, xmm5, xmm5\n",
                "vpxor xmm6, xmm6, xmm6\n",
                "vpxor xmm7, xmm7, xmm7\n",
                "vpxor xmm8, xmm8, xmm8\n",
                "vpxor xmm9, xmm9, xmm9\n",
                "vpxor xmm10, xmm10, xmm10\n",
                "vpxor xmm11, xmm11, xmm11\n",
                ".p2align 5\n",
                "2:\n",
                group!($multiply $add, "0", "0" "0" "1", "4" "2" "3", "8" "4" "5", "12" "6" "7", "16" "8" "9", "20" "10" "11"),
                group!($multiply $add, "64", "48" "0" "1", "52" "2" "3", "56" "4" "5", "60" "6" "7", "64" "8" "9", "68" "10" "11"),
                "add {x}, 96\n",
                "add {w}, 128\n",
                "dec {pairs}\n",
                "jnz 2b\n",
            )
        };
    }
    pub(crate) use {group, pass};

    /// Two passes of 6 rows x 2 vectors: 12 sums, 2 weights, an activation and a product fill the 16 registers. In assembly,
    /// since a compiler may change the order of these additions, which exceeds the registers and cost the tower a tenth of its rate.
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx2")]
    pub(super) fn tile_avx2(a: &ActivationTile, b: &WeightTile, sums: &mut Sums) {
        const ROWS: usize = TILE_ROWS / 2;
        const { assert!(ROWS == 6 && TILE_COLUMNS == 16 && GROUPS.is_multiple_of(2)) };
        for half in 0..2 {
            // SAFETY: x walks GROUPS x TILE_ROWS pairs from this half's first, w GROUPS x 2 vectors, y 6 rows of 2 vectors: the
            // tiles and this half of the sums.
            unsafe {
                asm!(
                    pass!("vpmaddwd" "vpaddd"),
                    "vmovdqu [{y}], ymm0",
                    "vmovdqu [{y} + 32], ymm1",
                    "vmovdqu [{y} + 64], ymm2",
                    "vmovdqu [{y} + 96], ymm3",
                    "vmovdqu [{y} + 128], ymm4",
                    "vmovdqu [{y} + 160], ymm5",
                    "vmovdqu [{y} + 192], ymm6",
                    "vmovdqu [{y} + 224], ymm7",
                    "vmovdqu [{y} + 256], ymm8",
                    "vmovdqu [{y} + 288], ymm9",
                    "vmovdqu [{y} + 320], ymm10",
                    "vmovdqu [{y} + 352], ymm11",
                    x = inout(reg) a.as_ptr().cast::<i32>().wrapping_add(half * ROWS) => _,
                    w = inout(reg) b.as_ptr() => _,
                    pairs = inout(reg) GROUPS / 2 => _,
                    y = in(reg) sums.as_mut_ptr().wrapping_add(half * ROWS),
                    out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _,
                    out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                    out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                    options(nostack),
                );
            }
        }
    }

    macro_rules! tile_512 {
        ($name:ident, $features:literal, $step:expr) => {
            #[allow(unsafe_code)]
            #[target_feature(enable = $features)]
            pub(super) fn $name(a: &ActivationTile, b: &WeightTile, sums: &mut Sums) {
                let mut total = [_mm512_setzero_si512(); TILE_ROWS];
                for (a, b) in a.iter().zip(b) {
                    // SAFETY: TILE_COLUMNS pairs are one vector.
                    let w = unsafe { _mm512_loadu_si512(b.as_ptr().cast()) };
                    for (total, x) in total.iter_mut().zip(a) {
                        let pair = _mm512_set1_epi32(i32::from(x[0] as u16) | i32::from(x[1]) << 16);
                        *total = $step(*total, pair, w);
                    }
                }
                for (total, row) in total.iter().zip(sums.iter_mut()) {
                    // SAFETY: a row of sums is one vector.
                    unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), *total) };
                }
            }
        };
    }
    tile_512!(tile_avx512, "avx512f,avx512bw", |t, x, w| _mm512_add_epi32(t, _mm512_madd_epi16(x, w)));
    tile_512!(tile_vnni, "avx512f,avx512bw,avx512vnni", |t, x, w| _mm512_dpwssd_epi32(t, x, w));
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{ActivationTile, Pair, Sums, TILE_COLUMNS, TILE_ROWS, WeightTile};
    use std::arch::aarch64::*;

    /// Vectors of four sums.
    const QUARTERS: usize = TILE_COLUMNS / 4;
    /// Rows a pass: 24 sums, 4 weights and an activation fit the 32 registers.
    const ROWS: usize = TILE_ROWS / 2;

    pub(super) fn tile(a: &ActivationTile, b: &WeightTile, sums: &mut Sums) {
        const { assert!(ROWS == 6 && QUARTERS == 4) };
        for (half, sums) in sums.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            // SAFETY: every aarch64 CPU that Rust's targets name has NEON.
            #[allow(unsafe_code)]
            unsafe {
                pass(a, half * ROWS, b, sums)
            };
        }
    }

    /// The rows from `first` on.
    #[allow(unsafe_code)]
    #[target_feature(enable = "neon")]
    fn pass(a: &ActivationTile, first: usize, b: &WeightTile, sums: &mut [[i32; TILE_COLUMNS]; ROWS]) {
        let mut total = [[vdupq_n_s32(0); QUARTERS]; ROWS];
        for (a, b) in a.iter().zip(b) {
            let (x, _) = a[first..].split_at(ROWS);
            // SAFETY: eight pairs each.
            let [left, right] = [0, TILE_COLUMNS / 2].map(|at| unsafe { vld2q_s16(b[at..].as_ptr().cast()) });
            for (total, x) in total.iter_mut().zip(x) {
                for (total, w) in total.as_chunks_mut().0.iter_mut().zip([left, right]) {
                    add(total, *x, w);
                }
            }
        }
        for (total, sums) in total.iter().zip(sums) {
            for (total, sums) in total.iter().zip(sums.as_chunks_mut::<4>().0) {
                // SAFETY: four sums have room.
                unsafe { vst1q_s32(sums.as_mut_ptr(), *total) };
            }
        }
    }

    /// A pair by eight: the first inputs of the weights are in one vector, the second in the other.
    #[inline]
    #[target_feature(enable = "neon")]
    fn add([low, high]: &mut [int32x4_t; 2], x: Pair, w: int16x8x2_t) {
        for (x, w) in x.into_iter().zip([w.0, w.1]) {
            *low = vmlal_n_s16(*low, vget_low_s16(w), x);
            *high = vmlal_high_n_s16(*high, w, x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(a: &ActivationTile, b: &WeightTile) -> Sums {
        std::array::from_fn(|r| {
            std::array::from_fn(|c| {
                let product = |g: usize, i: usize| i64::from(a[g][r][i]) * i64::from(b[g][c][i]);
                (0..GROUPS).map(|g| product(g, 0) + product(g, 1)).sum::<i64>() as i32
            })
        })
    }

    /// Those that a better CPU than this needs no more, too.
    fn check(a: &ActivationTile, b: &WeightTile) {
        let mut sums = [[1; TILE_COLUMNS]; TILE_ROWS];
        portable(a, b, &mut sums);
        assert_eq!(sums, exact(a, b));
        #[cfg(target_arch = "x86_64")]
        if crate::isa::level() != crate::isa::Level::Baseline {
            sums = [[1; TILE_COLUMNS]; TILE_ROWS];
            // SAFETY: the CPU has AVX2, as just checked.
            #[allow(unsafe_code)]
            unsafe {
                x86::tile_avx2(a, b, &mut sums)
            };
            assert_eq!(sums, exact(a, b));
        }
    }

    #[test]
    fn loops_that_this_cpu_may_not_choose_are_exact_up_to_the_extremes() {
        let value = |i: usize, most: i32| (i as i32 * 7919 % (2 * most + 1) - most) as i16;
        let a: ActivationTile = std::array::from_fn(|g| {
            std::array::from_fn(|r| [value(g * TILE_ROWS + r, 2047), value(g + r, 2047)])
        });
        let b: WeightTile = std::array::from_fn(|g| {
            std::array::from_fn(|c| [value(g * TILE_COLUMNS + c, 4096), value(g + c, 4096)])
        });
        check(&a, &b);
        for (x, w) in [(2047, 4096), (-2047, 4096), (2047, -4096), (-2047, -4096)] {
            check(&[[[x; 2]; TILE_ROWS]; GROUPS], &[[[w; 2]; TILE_COLUMNS]; GROUPS]);
        }
    }
}
