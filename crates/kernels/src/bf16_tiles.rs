//! Products of bf16 in tiles, for CPUs that multiply bf16 faster than f32.
//!
//! AMX does 16 x 16 x 32 multiply-adds an instruction, so fast that factors are not rounded to bf16 but cut in two of them:
//! `x = upper + lower` leaves an error of 2^-17 of x, that of f32 sums of some hundred terms. Where the weights are bf16 that takes two
//! products for one, else three (the lower parts by each other are left out); both are still faster than f32 vectors (docs/benchmarks.md).
//!
//! AVX512-BF16 does twice the multiply-adds of f32 on AMD's CPUs, so there factors are rounded, once, to 2^-9 of x; sums are f32.
//! On the Intel CPU that was measured it does half of f32's, so it is not used on any of those.

use crate::amx::{ROW_BYTES, ROWS, TileRegisters};
use crate::isa::{Feature, Unit, bf16_unit};
use crate::simd::{Fma, dispatch};
use crate::tiles::{Aligned, PANEL_TILES, TILE_COLUMNS, Tile};
use half::bf16;

/// Inputs that one instruction takes.
pub(crate) const CHUNK: usize = ROW_BYTES / 2;

/// Upper and lower parts of a chunk of the rows of a tile.
pub(crate) type Activations = Aligned<[[[bf16; CHUNK]; ROWS]; 2]>;
/// Two inputs in a row, of every column.
pub(crate) type Pairs = [[bf16; 2]; TILE_COLUMNS];
/// A chunk of the columns of a tile; what holds it begins at a cache line.
pub(crate) type Weights = [Pairs; ROWS];
/// The results of a row tile and a tile of columns.
pub(crate) type Sums = Tile<ROWS>;

pub(crate) const NO_ACTIVATIONS: Activations = Aligned([[[bf16::ZERO; CHUNK]; ROWS]; 2]);
pub(crate) const NO_WEIGHTS: Weights = [[[bf16::ZERO; 2]; TILE_COLUMNS]; ROWS];

const _: () = assert!(CHUNK == 2 * ROWS && size_of::<Sums>() == 1024 && PANEL_TILES == 4);
const _: () = assert!(size_of::<Activations>() == 2048 && size_of::<Weights>() == 1024);

/// Whether lower parts are multiplied too.
pub(crate) fn has_lower_parts() -> bool {
    bf16_unit() == Some(Unit::Amx)
}

#[inline(always)]
fn cut_row_body<F: Fma>(row: &[f32], r: usize, tile: &mut [Activations]) {
    let has_lower_parts = has_lower_parts();
    for (x, Aligned([upper, lower])) in row.chunks(CHUNK).zip(tile) {
        if has_lower_parts {
            cut(x, &mut upper[r], &mut lower[r]);
        } else {
            upper[r].iter_mut().zip(x).for_each(|(to, x)| *to = bf16::from_bits(rounded(*x)));
        }
    }
}
dispatch!(
    /// Row `r` of a tile, chunk by chunk.
    pub(crate) fn cut_row(row: &[f32], r: usize, tile: &mut [Activations]) = cut_row_body
);

/// The nearest bf16, and that of the rest; as many as there are of the fewest.
#[inline(always)]
pub(crate) fn cut(x: &[f32], upper: &mut [bf16], lower: &mut [bf16]) {
    for ((x, upper), lower) in x.iter().zip(upper).zip(lower) {
        let bits = rounded(*x);
        let rest = *x - f32::from_bits(u32::from(bits) << 16);
        *upper = bf16::from_bits(bits);
        // Infinite and not a number: the upper part says it all.
        *lower = bf16::from_bits(if rest.is_finite() { rounded(rest) } else { 0 });
    }
}

/// The bits of the nearest bf16, ties to even; in steps that compilers make vectors of.
#[inline(always)]
fn rounded(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    (if x.is_nan() { bits >> 16 | 0x40 } else { nearest }) as u16
}

/// Tiles of columns by chunks of inputs; the lower parts where there are some.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a, const TILES: usize> {
    /// Pairs of inputs; what is beyond them in the last chunk is zero.
    pub(crate) pairs: usize,
    pub(crate) upper: &'a [Aligned<[Weights; TILES]>],
    pub(crate) lower: Option<&'a [Aligned<[Weights; TILES]>]>,
}

/// This thread's hold on what multiplies.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) enum Multiplier {
    Amx(TileRegisters),
    Avx512,
}

impl Multiplier {
    /// # Panics
    /// Where there is no [`bf16_unit`].
    pub(crate) fn new() -> Self {
        match bf16_unit() {
            Some(Unit::Avx512) => Self::Avx512,
            _ => Self::Amx(TileRegisters::claim(Feature::Bf16)),
        }
    }
}

/// `add_four` and `add_one`: by the loop for whole weights, or the one for cut ones.
macro_rules! add {
    ($name:ident, $tiles:expr, $whole:ident, $cut:ident) => {
        impl Multiplier {
            /// Adds the products of a row tile and the panel's tiles of columns over the chunks of `x`.
            ///
            /// # Panics
            /// When the panel has fewer chunks, or there are none.
            #[inline]
            pub(crate) fn $name(&self, x: &[Activations], panel: Panel<'_, $tiles>, to: &mut [Sums; $tiles]) {
                #[cfg(target_arch = "x86_64")]
                match (self, panel.lower) {
                    // SAFETY: the CPU has the features, as `bf16_unit` says.
                    #[allow(unsafe_code)]
                    (Self::Avx512, _) => unsafe { vectors::add(x, panel, to) },
                    (Self::Amx(held), None) => registers::$whole(held, x, panel.upper, panel.upper, to),
                    (Self::Amx(held), Some(lower)) => registers::$cut(held, x, panel.upper, lower, to),
                }
                #[cfg(not(target_arch = "x86_64"))]
                let _ = (x, panel, to); // nothing is ever claimed there
            }
        }
    };
}
add!(add_four, PANEL_TILES, four, four_cut);
add!(add_one, 1, one, one_cut);

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::{Activations, Aligned, ROW_BYTES, Sums, TileRegisters, Weights};
    use std::arch::asm;

    /// A tile of weights, at `$at` of a chunk, by both parts of the activations, in 4 and 5.
    macro_rules! whole {
        ($sum:literal $at:literal) => {
            concat!(
                "tileloadd tmm6, [{w} + {tight} + ",
                $at,
                "]\n",
                "tdpbf16ps tmm",
                $sum,
                ", tmm4, tmm6\n",
                "tdpbf16ps tmm",
                $sum,
                ", tmm5, tmm6\n",
            )
        };
    }

    /// The same, and its lower part by the upper activations.
    macro_rules! cut {
        ($sum:literal $at:literal) => {
            concat!(
                "tileloadd tmm6, [{w} + {tight} + ",
                $at,
                "]\n",
                "tdpbf16ps tmm",
                $sum,
                ", tmm4, tmm6\n",
                "tileloadd tmm7, [{l} + {tight} + ",
                $at,
                "]\n",
                "tdpbf16ps tmm",
                $sum,
                ", tmm5, tmm6\n",
                "tdpbf16ps tmm",
                $sum,
                ", tmm4, tmm7\n",
            )
        };
    }

    /// `$tiles` tiles of columns: the registers of their sums and where in a chunk they begin.
    macro_rules! multiply {
        ($name:ident, $tile:ident, $tiles:literal, $bytes:literal, $($sum:literal $at:literal),*) => {
            #[allow(unsafe_code)]
            #[inline]
            pub(super) fn $name(
                _held: &TileRegisters,
                x: &[Activations],
                weights: &[Aligned<[Weights; $tiles]>],
                lower: &[Aligned<[Weights; $tiles]>],
                sums: &mut [Sums; $tiles],
            ) {
                const { assert!(size_of::<Aligned<[Weights; $tiles]>>() == $bytes) };
                assert!(!x.is_empty() && weights.len() >= x.len() && lower.len() >= x.len(), "tiles: shapes do not agree");
                // SAFETY: the registers are configured, as `_held` says, for 16 rows of 64 bytes. The first ones load and store the tiles of
                // `sums`. As many times as `x` has chunks, which `weights` and `lower` have too, 4 and 5 load the parts of a chunk, and 6
                // and 7 tiles of weights.
                unsafe {
                    asm!(
                        $(concat!("tileloadd tmm", $sum, ", [{y} + {tight} + ", $at, "]"),)*
                        "2:",
                        "tileloadd tmm4, [{x} + {tight}]",
                        "tileloadd tmm5, [{x} + {tight} + 1024]",
                        $($tile!($sum $at),)*
                        "add {x}, 2048",
                        concat!("add {w}, ", $bytes),
                        concat!("add {l}, ", $bytes),
                        "dec {chunks}",
                        "jnz 2b",
                        $(concat!("tilestored [{y} + {tight} + ", $at, "], tmm", $sum),)*
                        x = inout(reg) x.as_ptr() => _,
                        w = inout(reg) weights.as_ptr() => _,
                        l = inout(reg) lower.as_ptr() => _,
                        chunks = inout(reg) x.len() => _,
                        y = in(reg) sums,
                        tight = in(reg) ROW_BYTES,
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                        options(nostack),
                    );
                }
            }
        };
    }
    multiply!(four, whole, 4, 4096, "0" "0", "1" "1024", "2" "2048", "3" "3072");
    multiply!(four_cut, cut, 4, 4096, "0" "0", "1" "1024", "2" "2048", "3" "3072");
    multiply!(one, whole, 1, 1024, "0" "0");
    multiply!(one_cut, cut, 1, 1024, "0" "0");
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use super::{Activations, Aligned, Panel, ROWS, Sums};
    use std::arch::x86_64::*;

    /// Adds the products of the upper parts.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn add<const TILES: usize>(
        x: &[Activations],
        panel: Panel<'_, TILES>,
        sums: &mut [Sums; TILES],
    ) {
        assert!(panel.upper.len() >= x.len(), "tiles: shapes do not agree");
        for (tile, sums) in sums.iter_mut().enumerate() {
            let mut total = [_mm512_setzero_ps(); ROWS];
            for (total, row) in total.iter_mut().zip(sums.iter()) {
                // SAFETY: a row of sums is one vector.
                *total = unsafe { _mm512_loadu_ps(row.as_ptr()) };
            }
            for (chunk, (Aligned([x, _]), Aligned(w))) in x.iter().zip(panel.upper).enumerate() {
                let pairs = (panel.pairs - chunk * ROWS).min(ROWS);
                let x: &[[i32; ROWS]; ROWS] = bytemuck::cast_ref(x);
                for (pair, w) in w[tile][..pairs].iter().enumerate() {
                    // SAFETY: the pairs of TILE_COLUMNS columns are one vector, of bf16 as much as of anything.
                    let w = unsafe {
                        std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(w.as_ptr().cast()))
                    };
                    for (total, x) in total.iter_mut().zip(x) {
                        // SAFETY: as above.
                        let x =
                            unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(x[pair])) };
                        *total = _mm512_dpbf16_ps(*total, w, x);
                    }
                }
            }
            for (total, row) in total.iter().zip(sums) {
                // SAFETY: a row of sums is one vector.
                unsafe { _mm512_storeu_ps(row.as_mut_ptr(), *total) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_cut_without_loss_but_for_17_bits() {
        let numbers =
            [0.0, 1.0, -1.0 / 3.0, 1e-20, 65_504.3, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let (mut uppers, mut lowers) = ([bf16::ZERO; 9], [bf16::ZERO; 9]);
        cut(&numbers, &mut uppers, &mut lowers);
        let mut tile = [NO_ACTIVATIONS];
        cut_row(&numbers, 3, &mut tile);
        for (i, x) in numbers.into_iter().enumerate() {
            assert_eq!(tile[0].0[0][3][i].to_bits(), uppers[i].to_bits(), "{x}");
            let (upper, lower) = (uppers[i].to_f32(), lowers[i].to_f32());
            if x.abs() < 1e38 {
                assert!(
                    (f64::from(upper) + f64::from(lower) - f64::from(x)).abs()
                        <= f64::from(x.abs()) / 131_072.0,
                    "{x}"
                );
            } else {
                assert_eq!((upper.is_nan(), lower), (x.is_nan(), 0.0), "{x}");
                assert_eq!(upper > 0.0, x > 0.0, "{x}");
            }
        }
        for bits in (0..=u32::MAX).step_by(977) {
            let x = f32::from_bits(bits);
            assert_eq!(rounded(x), bf16::from_f32(x).to_bits(), "{x} {bits:#x}");
        }
    }
}
