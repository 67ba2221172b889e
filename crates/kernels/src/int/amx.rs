//! The same sums by AMX, which multiplies bytes: every integer is cut in a signed upper and an unsigned lower part of six
//! bits, `x = 64 u + l`, and the products of the parts are summed apart. All of it is exact, so the sums are those of the
//! 16-bit pairs, bit for bit.

use super::layout::{ActivationTile, LOW_BITS, MOST_PARTS, PackedBlock, PanelSums, WeightTile};
use super::multiplier::{Multiplier, store_bytes};
use crate::amx::{ROW_BYTES, ROWS, TileRegisters};
use crate::isa::{Feature, has_amx};
use crate::quantized::Format;
use crate::quantized::activations::ActivationBlock;
use crate::quantized::block::BLOCK;
use crate::quantized::unpack::WeightBlock;
use crate::simd::{Fma, dispatch};
use crate::tiles::{PANEL_TILES, TILE_COLUMNS};

const LOW_MASK: i16 = (1 << LOW_BITS) - 1;

/// The parts of a tile's rows, upper and lower: as large as an [`ActivationTile`].
type Activations = [[[u8; BLOCK]; ROWS]; 2];
/// Four inputs in a row.
type Quad = [u8; 4];
/// The parts of a tile's columns: as large as [`WeightTile`]. A narrow tile, of bytes, has the upper one only.
type Weights = [[[Quad; TILE_COLUMNS]; BLOCK / 4]; 2];

const _: () = assert!(size_of::<Activations>() == size_of::<ActivationTile<ROWS>>());
const _: () = assert!(size_of::<Weights>() == size_of::<WeightTile>());
/// A register has half of a block's inputs.
const _: () = assert!(BLOCK == 2 * ROW_BYTES && BLOCK == 2 * 4 * ROWS);

#[inline(always)]
fn upper(v: i16) -> u8 {
    (v >> LOW_BITS) as u8
}

#[inline(always)]
fn lower(v: i16) -> u8 {
    (v & LOW_MASK) as u8
}

/// Row `r` of a tile.
#[inline(always)]
fn store_row_body<F: Fma>(values: &[i16; BLOCK], r: usize, to: &mut ActivationTile<ROWS>) {
    let [up, low]: &mut Activations = bytemuck::cast_mut(to);
    up[r].iter_mut().zip(values).for_each(|(to, v)| *to = upper(*v));
    low[r].iter_mut().zip(values).for_each(|(to, v)| *to = lower(*v));
}
dispatch!(fn store_row(values: &[i16; BLOCK], r: usize, to: &mut ActivationTile<ROWS>) = store_row_body);

/// This thread's hold on the registers.
pub(super) struct Amx {
    registers: TileRegisters,
    narrow: bool,
}

impl Amx {
    /// Whether this CPU multiplies so.
    pub(super) fn fits() -> bool {
        has_amx(Feature::Int8)
    }
}

impl Multiplier<ROWS> for Amx {
    /// # Panics
    /// Where [`Amx::fits`] says no.
    fn new(format: Format) -> Self {
        Self { registers: TileRegisters::claim(Feature::Int8), narrow: format.is_narrow() }
    }

    #[inline]
    fn store_row(x: &ActivationBlock, r: usize, to: &mut ActivationTile<ROWS>) {
        store_row(&x.values, r, to);
    }

    /// Weights of one byte are not cut.
    #[inline(always)]
    fn store_columns<F: Fma>(&self, columns: &[WeightBlock; TILE_COLUMNS], to: &mut WeightTile) {
        let [first, second]: &mut Weights = bytemuck::cast_mut(to);
        if self.narrow {
            store_bytes::<F>(columns, |v| v as u8, first);
        } else {
            store_bytes::<F>(columns, upper, first);
            store_bytes::<F>(columns, lower, second);
        }
    }

    #[inline(always)]
    fn panel_sums(
        &self,
        x: &PackedBlock<ROWS>,
        w: &[WeightTile; PANEL_TILES],
        sums: &mut PanelSums<ROWS>,
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        {
            let multiply = if self.narrow { x86::narrow } else { x86::wide };
            multiply(&self.registers, bytemuck::cast_ref(&x.values), bytemuck::cast_ref(w), &mut sums.0);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (&self.registers, x, w, sums); // nothing is ever claimed there
        if self.narrow { NARROW_PARTS } else { WIDE_PARTS }
    }
}

/// Parts of the sums: upper and lower activations by weights of one byte.
const NARROW_PARTS: usize = 2;
/// Upper by upper, one by the other, lower by lower.
const WIDE_PARTS: usize = MOST_PARTS;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Activations, MOST_PARTS, PANEL_TILES, ROWS, TileRegisters, Weights};
    use crate::int::layout::Sums;
    use std::arch::asm;

    /// Loads the activations once, into 4 to 7 (upper and lower part of both halves of the inputs), then multiplies tile after tile:
    /// `$tile` does one, whose weights are at `b` and whose sums go to `to`.
    macro_rules! panel {
        ($name:ident, $tile:expr, $($sum:literal)*) => {
            #[allow(unsafe_code)]
            #[inline]
            pub(super) fn $name(
                _held: &TileRegisters,
                a: &Activations,
                b: &[Weights; PANEL_TILES],
                sums: &mut [[Sums<ROWS>; MOST_PARTS]; PANEL_TILES],
            ) {
                const { assert!(size_of::<Sums<ROWS>>() == 1024 && MOST_PARTS == 3 && size_of::<Weights>() == 4096) };
                // SAFETY: the registers are configured, as `_held` says, for 16 rows of 64 bytes. 4 to 7 load theirs 128 apart, from the
                // first or the second half of each row of a part of `a`, 2048 bytes each. PANEL_TILES times, tiles are loaded from within the
                // 4096 bytes at `b`, and one stored for each part, of which `sums` has three for each of them.
                unsafe {
                    asm!(
                        "tileloadd tmm4, [{a} + {wide}]",
                        "tileloadd tmm5, [{a} + {wide} + 64]",
                        "tileloadd tmm6, [{a} + {wide} + 2048]",
                        "tileloadd tmm7, [{a} + {wide} + 2112]",
                        "2:",
                        $($sum,)*
                        $tile,
                        "add {b}, 4096",
                        "add {to}, 3072",
                        "dec {tiles}",
                        "jnz 2b",
                        a = in(reg) a,
                        b = inout(reg) b => _,
                        to = inout(reg) sums => _,
                        tiles = inout(reg) PANEL_TILES => _,
                        tight = in(reg) 64usize,
                        wide = in(reg) 128usize,
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                        options(nostack),
                    );
                }
            }
        };
    }

    panel!(
        narrow,
        concat!(
            "tileloadd tmm2, [{b} + {tight}]\n",
            "tdpbssd tmm0, tmm4, tmm2\n",
            "tdpbusd tmm1, tmm6, tmm2\n",
            "tileloadd tmm3, [{b} + {tight} + 1024]\n",
            "tdpbssd tmm0, tmm5, tmm3\n",
            "tdpbusd tmm1, tmm7, tmm3\n",
            "tilestored [{to} + {tight}], tmm0\n",
            "tilestored [{to} + {tight} + 1024], tmm1\n",
        ),
        "tilezero tmm0"
        "tilezero tmm1"
    );
    panel!(
        wide,
        concat!(
            "tileloadd tmm3, [{b} + {tight}]\n",
            "tdpbssd tmm0, tmm4, tmm3\n",
            "tdpbusd tmm1, tmm6, tmm3\n",
            "tileloadd tmm3, [{b} + {tight} + 1024]\n",
            "tdpbssd tmm0, tmm5, tmm3\n",
            "tdpbusd tmm1, tmm7, tmm3\n",
            "tileloadd tmm3, [{b} + {tight} + 2048]\n",
            "tdpbuud tmm2, tmm6, tmm3\n",
            "tdpbsud tmm1, tmm4, tmm3\n",
            "tileloadd tmm3, [{b} + {tight} + 3072]\n",
            "tdpbuud tmm2, tmm7, tmm3\n",
            "tdpbsud tmm1, tmm5, tmm3\n",
            "tilestored [{to} + {tight}], tmm0\n",
            "tilestored [{to} + {tight} + 1024], tmm1\n",
            "tilestored [{to} + {tight} + 2048], tmm2\n",
        ),
        "tilezero tmm0"
        "tilezero tmm1"
        "tilezero tmm2"
    );
}
