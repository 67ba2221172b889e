//! `sums[r, c] = sum_g a[g, r] . b[g, c]` over pairs of i16: the innermost loop, one version an instruction set.

use super::activations::{ActivationBlock, PackedBlock};
use super::bytes::LOW_BITS;
use super::format::WeightBlock;
use super::scaling::{self, Scales};
use super::{BLOCK, Format};
use crate::simd::Fma;
use crate::tiles::{Aligned, PANEL_TILES, TILE_COLUMNS, TILE_ROWS, Totals};
use crate::transpose::transpose;

/// Pairs of inputs in a block.
pub(crate) const GROUPS: usize = BLOCK / 2;

/// Two consecutive inputs.
pub(crate) type Pair = [i16; 2];
/// Pairs of one block for the rows of a tile: `[GROUPS][TILE_ROWS]`.
pub(crate) type ActivationTile<const ROWS: usize = TILE_ROWS> = [[Pair; ROWS]; GROUPS];
/// Pairs of one block for the columns of a tile: `[GROUPS][TILE_COLUMNS]`.
pub(crate) type WeightTile = [[Pair; TILE_COLUMNS]; GROUPS];
/// The exact sums of a tile, or a part of them.
pub(crate) type Sums<const ROWS: usize = TILE_ROWS> = [[i32; TILE_COLUMNS]; ROWS];
/// Most parts that sums are in: the first is worth 64 times the second, and so on.
pub(crate) const MOST_PARTS: usize = 3;
/// The sums of a panel's tiles, in as many parts as the multiplier says.
pub(crate) type PanelSums<const ROWS: usize> = Aligned<[[Sums<ROWS>; MOST_PARTS]; PANEL_TILES]>;

impl<const ROWS: usize> PanelSums<ROWS> {
    pub(crate) const ZERO: Self = Aligned([[[[0; TILE_COLUMNS]; ROWS]; MOST_PARTS]; PANEL_TILES]);
}

/// How tiles of `ROWS` rows are laid out and multiplied.
pub(crate) trait Multiplier<const ROWS: usize>: Sized {
    /// Whether columns are stored from [`WeightBlock::codes`], not from their values.
    const TAKES_CODES: bool = false;

    /// This thread's hold on what it takes.
    fn new(format: Format) -> Self;

    /// Row `r` of a tile.
    fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile<ROWS>);

    /// All columns of a tile.
    fn store_columns<F: Fma>(&self, columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile);

    /// The sums of a panel's tiles over one block; returns in how many parts.
    fn panel_sums(
        &self,
        x: &PackedBlock<ROWS>,
        w: &[WeightTile; PANEL_TILES],
        sums: &mut PanelSums<ROWS>,
    ) -> usize;

    /// Adds what they are worth to `totals`; `sums` is scratch.
    #[inline(always)]
    fn add(
        &self,
        x: &PackedBlock<ROWS>,
        w: &[WeightTile; PANEL_TILES],
        scales: &[Scales; PANEL_TILES],
        sums: &mut PanelSums<ROWS>,
        totals: &mut Totals<ROWS>,
    ) {
        scaling::add(self.panel_sums(x, w, sums), sums, scales, x, totals);
    }
}

/// Pairs of 16 bits, as the types say.
pub(crate) struct Pairs;

impl Multiplier<TILE_ROWS> for Pairs {
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

/// A byte of every weight of a tile's columns, by groups of four inputs.
#[inline(always)]
pub(crate) fn store_bytes<F: Fma>(
    columns: &[WeightBlock; TILE_COLUMNS],
    byte: impl Fn(i16) -> u8,
    to: &mut [[[u8; 4]; TILE_COLUMNS]; BLOCK / 4],
) {
    let mut bytes = [[0u8; BLOCK]; TILE_COLUMNS];
    for (bytes, column) in bytes.iter_mut().zip(columns) {
        bytes.iter_mut().zip(&column.values).for_each(|(to, v)| *to = byte(*v));
    }
    transpose::<F, [u8; 4]>(bytes.each_ref().map(|bytes| bytes.as_chunks().0), to);
}

/// The sum in column `c` of row `r`.
#[inline(always)]
pub(crate) fn joined<const ROWS: usize>(parts: &[Sums<ROWS>], r: usize, c: usize) -> i32 {
    parts.iter().fold(0, |sum: i32, part| (sum << LOW_BITS).wrapping_add(part[r][c]))
}

/// The sums of one tile over one block.
#[inline]
fn pair_sums(a: &ActivationTile, b: &WeightTile, sums: &mut Sums) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::simd::{Level, has_vnni, level};
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
    use crate::integer::SUBBLOCKS;
    use crate::integer::bytes::Bytes;
    use crate::integer::codes::Codes;
    use crate::integer::vnni::Vnni;
    use crate::simd::Separate;
    use crate::tiles::AMX_TILE_ROWS;

    /// The sums of rows of 12 bits (8 where `wide` says no) and columns of up to `limit`, at their largest too, by a multiplier and
    /// exactly.
    fn check<const ROWS: usize, M: Multiplier<ROWS>>(format: Format, wide: fn(usize) -> bool) {
        let limit = if format.is_narrow() { 127 } else { 4096 };
        let mut state = 1u32;
        let mut next = |limit: i32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 28 == 0 { limit } else { (state >> 8) as i32 % (2 * limit + 1) - limit }
        };
        let mut rows = vec![ActivationBlock::ZERO; ROWS];
        for (r, row) in rows.iter_mut().enumerate() {
            row.is_wide = wide(r);
            let largest = if row.is_wide { 2047 } else { 127 };
            row.values = std::array::from_fn(|_| match r {
                0 => largest as i16,
                1 => -largest as i16,
                _ => next(largest) as i16,
            });
            row.sums[0] = row.values.iter().map(|v| f32::from(*v)).sum();
        }
        let mut columns = [WeightBlock::ZERO; TILE_COLUMNS];
        for (c, column) in columns.iter_mut().enumerate() {
            column.values = std::array::from_fn(|_| next(limit) as i16);
            if M::TAKES_CODES {
                column.codes =
                    std::array::from_fn(|_| if c == 15 { 15 } else { next(15).unsigned_abs() as u8 });
                let factors: [_; SUBBLOCKS] =
                    std::array::from_fn(|_| if c == 15 { 63 } else { next(63).abs() as i16 });
                column.factors = std::array::from_fn(|i| factors[i / 2]);
                column.values = std::array::from_fn(|i| i16::from(column.codes[i]) * column.factors[i / 16]);
            }
        }
        if !M::TAKES_CODES {
            (columns[15].values, columns[14].values) = ([-limit as i16; BLOCK], [limit as i16; BLOCK]);
        }

        let by = M::new(format);
        let mut x: PackedBlock<ROWS> = bytemuck::Zeroable::zeroed();
        let mut w = [[[[0; 2]; TILE_COLUMNS]; GROUPS]; PANEL_TILES];
        let mut sums = PanelSums::ZERO;
        sums.0.as_flattened_mut().as_flattened_mut().as_flattened_mut().fill(1);
        rows.iter().enumerate().for_each(|(r, row)| x.store::<M>(row, r));
        w.iter_mut().for_each(|w| by.store_columns::<Separate>(&columns, w));
        let parts = by.panel_sums(&x, &w, &mut sums);
        for sums in &sums.0 {
            for (r, row) in rows.iter().enumerate() {
                for (c, column) in columns.iter().enumerate() {
                    let pairs = row.values.iter().zip(&column.values);
                    let exact: i32 = pairs.map(|(x, w)| i32::from(*x) * i32::from(*w)).sum();
                    assert_eq!(joined(&sums[..parts], r, c), exact, "{limit} {r} {c}");
                }
            }
        }
    }

    struct Portable;

    impl Multiplier<TILE_ROWS> for Portable {
        fn new(_format: Format) -> Self {
            Self
        }

        fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile) {
            Pairs::store_row(x, r, to);
        }

        fn store_columns<F: Fma>(&self, columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile) {
            Pairs.store_columns::<F>(columns, to);
        }

        fn panel_sums(
            &self,
            x: &PackedBlock<TILE_ROWS>,
            w: &[WeightTile; PANEL_TILES],
            sums: &mut PanelSums<TILE_ROWS>,
        ) -> usize {
            w.iter().zip(&mut sums.0).for_each(|(w, sums)| portable(&x.values, w, &mut sums[0]));
            1
        }
    }

    #[test]
    fn every_version_that_this_cpu_runs_is_exact_at_the_extremes() {
        let kinds: [fn(usize) -> bool; 4] = [|_| false, |_| true, |r| r.is_multiple_of(3), |r| r == 1];
        for wide in kinds {
            for format in [Format::Int8, Format::Q4K, Format::Q6K] {
                check::<TILE_ROWS, Portable>(format, wide);
                check::<TILE_ROWS, Pairs>(format, wide);
                if Vnni::fits(format) {
                    check::<TILE_ROWS, Vnni>(format, wide);
                }
                if Codes::fits(format) {
                    check::<TILE_ROWS, Codes>(format, wide);
                }
                if Bytes::fits() {
                    check::<AMX_TILE_ROWS, Bytes>(format, wide);
                }
            }
        }
    }

    /// Better CPUs than that are tested above by what they choose.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_assembly_for_avx2_is_exact() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        let value = |i: usize, most: i32| (i as i32 * 7919 % (2 * most + 1) - most) as i16;
        let a: ActivationTile = std::array::from_fn(|g| {
            std::array::from_fn(|r| [value(g * TILE_ROWS + r, 2047), value(g + r, 2047)])
        });
        let b: WeightTile = std::array::from_fn(|g| {
            std::array::from_fn(|c| [value(g * TILE_COLUMNS + c, 4096), value(g + c, 4096)])
        });
        let (mut exact, mut sums) = ([[0; TILE_COLUMNS]; TILE_ROWS], [[1; TILE_COLUMNS]; TILE_ROWS]);
        portable(&a, &b, &mut exact);
        // SAFETY: the CPU has AVX2, as just checked.
        #[allow(unsafe_code)]
        unsafe {
            x86::tile_avx2(&a, &b, &mut sums)
        };
        assert_eq!(sums, exact);
    }
}
