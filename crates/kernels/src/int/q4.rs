//! The same sums for weights that are codes of four bits times a factor for 32 inputs: bytes by bytes within a factor's inputs, and
//! then the factor. AVX2 sums the products of a factor's inputs in 16 bits, which takes half of the instructions that pairs of
//! 16 bits do; AVX-512 VNNI sums them in 32.

use super::byte_rows::{ByteRows, GROUPS, Part, Quad, store_row};
use super::layout::PackedBlock;
use super::layout::{ActivationTile, PanelSums, Sums, WeightTile};
use super::multiplier::Multiplier;
#[cfg(target_arch = "x86_64")]
use crate::isa::{Level, has_vnni, level};
use crate::quantized::Format;
use crate::quantized::activations::ActivationBlock;
use crate::quantized::block::SUBBLOCKS;
use crate::quantized::unpack::WeightBlock;
use crate::simd::Fma;
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, TILE_ROWS};
use crate::transpose::transpose;

/// A tile's columns; what is left of a [`WeightTile`] is not used.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Weights {
    codes: [[Quad<u8>; TILE_COLUMNS]; GROUPS],
    /// Each twice, since AVX2 multiplies pairs.
    factors: [[[i16; 2]; TILE_COLUMNS]; SUBBLOCKS],
    rest: [[u64; TILE_COLUMNS]; 14],
}

const _: () = assert!(size_of::<Weights>() == size_of::<WeightTile>());
/// Groups that share a factor. Their 8 x 2 products of a code (15) and a byte (127) in a lane of 16 bits stay below 2^15.
#[cfg(target_arch = "x86_64")]
const FACTOR_GROUPS: usize = GROUPS / SUBBLOCKS;

/// Q4 by bytes.
pub(super) struct Q4;

impl Q4 {
    /// Whether this CPU multiplies weights of the format so.
    pub(super) fn fits(format: Format) -> bool {
        #[cfg(target_arch = "x86_64")]
        return format == Format::Q4K && !matches!(level(), Level::Baseline);
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = format;
            false
        }
    }
}

impl Multiplier<TILE_ROWS> for Q4 {
    const TAKES_CODES: bool = true;

    /// # Panics
    /// Where [`Q4::fits`] says no.
    fn new(format: Format) -> Self {
        assert!(Self::fits(format), "products of codes: not on this CPU");
        Self
    }

    #[inline]
    fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile) {
        store_row(x, r, to);
    }

    #[inline(always)]
    fn store_columns<F: Fma>(&self, columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile) {
        let to: &mut Weights = bytemuck::cast_mut(to);
        transpose::<F, Quad<u8>>(columns.each_ref().map(|column| column.codes.as_chunks().0), &mut to.codes);
        for (c, column) in columns.iter().enumerate() {
            for (to, factors) in to.factors.iter_mut().zip(column.factors.as_chunks().0) {
                to[c] = *factors;
            }
        }
    }

    #[inline(always)]
    fn panel_sums(
        &self,
        x: &PackedBlock<TILE_ROWS>,
        w: &[WeightTile; PANEL_TILES],
        sums: &mut PanelSums<TILE_ROWS>,
    ) -> usize {
        let [upper, lower]: &ByteRows = bytemuck::cast_ref(&x.values);
        for (w, sums) in w.iter().zip(&mut sums.0) {
            let w: &Weights = bytemuck::cast_ref(w);
            if x.is_wide {
                tile(upper, w, &mut sums[0]);
                tile(lower, w, &mut sums[1]);
            } else {
                tile(lower, w, &mut sums[0]);
            }
        }
        1 + usize::from(x.is_wide)
    }
}

/// The sums of a part and a tile of columns.
#[inline]
fn tile(x: &Part, w: &Weights, sums: &mut Sums) {
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: the CPU has the features of the function called, as just checked.
        #[allow(unsafe_code)]
        Level::Avx512 if has_vnni() => unsafe { x86::tile_vnni(x, w, sums) },
        // SAFETY: as above; `new` has checked that there is AVX2.
        #[allow(unsafe_code)]
        _ => unsafe { x86::tile_avx2(x, w, sums) },
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, w, sums); // it never fits there
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{FACTOR_GROUPS, Part, SUBBLOCKS, Sums, TILE_COLUMNS, TILE_ROWS, Weights};
    use crate::int::i16::{group, pass};
    use std::arch::asm;
    use std::arch::x86_64::*;

    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(super) fn tile_vnni(x: &Part, w: &Weights, sums: &mut Sums) {
        let mut total = [_mm512_setzero_si512(); TILE_ROWS];
        let (x, codes) = (x.as_chunks::<FACTOR_GROUPS>().0, w.codes.as_chunks::<FACTOR_GROUPS>().0);
        for ((x, codes), factors) in x.iter().zip(codes).zip(&w.factors) {
            let mut part = [_mm512_setzero_si512(); TILE_ROWS];
            for (x, codes) in x.iter().zip(codes) {
                // SAFETY: TILE_COLUMNS groups of four bytes are one vector.
                let codes = unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) };
                for (part, x) in part.iter_mut().zip(x) {
                    *part = _mm512_dpbusd_epi32(*part, codes, _mm512_set1_epi32(bytemuck::cast(*x)));
                }
            }
            // SAFETY: TILE_COLUMNS pairs are one vector.
            let factors = unsafe { _mm512_loadu_si512(factors.as_ptr().cast()) };
            // One of each pair; factors are never negative.
            let factors = _mm512_srli_epi32::<16>(factors);
            for (total, part) in total.iter_mut().zip(part) {
                *total = _mm512_add_epi32(*total, _mm512_mullo_epi32(part, factors));
            }
        }
        for (total, row) in total.iter().zip(sums.iter_mut()) {
            // SAFETY: a row of sums is one vector.
            unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), *total) };
        }
    }

    /// Two sums in 16 bits, times their factors: they become the row's sums at `$at`, or are added to them.
    #[rustfmt::skip]
    macro_rules! scale {
        ($left:literal $right:literal $at:literal $(+ $add:literal)?) => {
            concat!(
                "vpmaddwd ymm", $left, ", ymm", $left, ", ymm12\n",
                "vpmaddwd ymm", $right, ", ymm", $right, ", ymm13\n",
                $(
                    $add, " ymm", $left, ", ymm", $left, ", [{y} + ", $at, "]\n",
                    $add, " ymm", $right, ", ymm", $right, ", [{y} + ", $at, " + 32]\n",
                )?
                "vmovdqu [{y} + ", $at, "], ymm", $left, "\n",
                "vmovdqu [{y} + ", $at, " + 32], ymm", $right, "\n",
            )
        };
    }

    /// The inputs of factor `$factor` by the rows of half `$half`; sums of the factors before it are there where `+ "vpaddd"` says so.
    macro_rules! factor {
        ($x:ident, $w:ident, $sums:ident, $half:expr, $factor:expr $(, + $add:literal)?) => {
            asm!(
                pass!("vpmaddubsw" "vpaddw"),
                "vmovdqu ymm12, [{f}]",
                "vmovdqu ymm13, [{f} + 32]",
                scale!("0" "1" "0" $(+ $add)?),
                scale!("2" "3" "64" $(+ $add)?),
                scale!("4" "5" "128" $(+ $add)?),
                scale!("6" "7" "192" $(+ $add)?),
                scale!("8" "9" "256" $(+ $add)?),
                scale!("10" "11" "320" $(+ $add)?),
                x = inout(reg) $x[$factor * FACTOR_GROUPS..].as_ptr().cast::<i32>().wrapping_add($half * ROWS) => _,
                w = inout(reg) $w.codes[$factor * FACTOR_GROUPS..].as_ptr() => _,
                f = in(reg) &$w.factors[$factor],
                pairs = inout(reg) FACTOR_GROUPS / 2 => _,
                y = in(reg) $sums.as_mut_ptr().wrapping_add($half * ROWS),
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _,
                out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nostack),
            )
        };
    }

    /// Rows a pass.
    const ROWS: usize = TILE_ROWS / 2;

    /// Two passes of 6 rows x 2 vectors, as with pairs of 16 bits, for each factor.
    #[allow(unsafe_code)]
    #[target_feature(enable = "avx2")]
    pub(super) fn tile_avx2(x: &Part, w: &Weights, sums: &mut Sums) {
        const { assert!(ROWS == 6 && TILE_COLUMNS == 16 && FACTOR_GROUPS.is_multiple_of(2)) };
        for half in 0..2 {
            // SAFETY: x walks FACTOR_GROUPS x TILE_ROWS quads from this factor's first group and this half's first row on, w as many times
            // two vectors, f has two vectors of factors, y 6 rows of 2 vectors: the tiles and this half of the sums.
            unsafe { factor!(x, w, sums, half, 0) };
            for factor in 1..SUBBLOCKS {
                // SAFETY: as above.
                unsafe { factor!(x, w, sums, half, factor, + "vpaddd") };
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    #[test]
    fn every_version_is_exact_at_the_extremes() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let mut w = Weights::zeroed();
        w.codes.as_flattened_mut().as_flattened_mut().iter_mut().for_each(|code| *code = (next() % 16) as u8);
        w.factors.as_flattened_mut().iter_mut().for_each(|factor| *factor = [(next() % 64) as i16; 2]);
        w.codes.iter_mut().for_each(|codes| codes[3] = [15; 4]);
        w.factors.iter_mut().for_each(|factors| factors[3] = [63; 2]);
        let mut x: Part = [[[0; 4]; TILE_ROWS]; GROUPS];
        x.as_flattened_mut().as_flattened_mut().iter_mut().for_each(|v| *v = (next() % 255) as i8);
        x.iter_mut().for_each(|x| (x[0], x[11]) = ([127; 4], [-127; 4]));

        let mut exact = [[0; TILE_COLUMNS]; TILE_ROWS];
        for (group, (x, codes)) in x.iter().zip(&w.codes).enumerate() {
            for (x, sums) in x.iter().zip(&mut exact) {
                for (c, sum) in sums.iter_mut().enumerate() {
                    let product: i32 =
                        x.iter().zip(codes[c]).map(|(x, w)| i32::from(*x) * i32::from(w)).sum();
                    *sum += product * i32::from(w.factors[group / FACTOR_GROUPS][c][0]);
                }
            }
        }
        let check = |of: &str, run: fn(&Part, &Weights, &mut Sums)| {
            let mut sums = [[1; TILE_COLUMNS]; TILE_ROWS];
            run(&x, &w, &mut sums);
            assert_eq!(sums, exact, "{of}");
        };
        if crate::isa::level() != crate::isa::Level::Baseline {
            // SAFETY: the CPU has AVX2, as just checked.
            #[allow(unsafe_code)]
            check("AVX2", |x, w, sums| unsafe { x86::tile_avx2(x, w, sums) });
        }
        if level() == Level::Avx512 && has_vnni() {
            // SAFETY: as above.
            #[allow(unsafe_code)]
            check("VNNI", |x, w, sums| unsafe { x86::tile_vnni(x, w, sums) });
        }
    }
}
