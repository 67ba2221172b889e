//! The same sums by AMX, which multiplies bytes: every integer is cut in a signed upper and an unsigned lower part of six
//! bits, `x = 64 u + l`, and the products of the parts are summed apart. All of it is exact, so the sums are those of the
//! 16-bit pairs, bit for bit.

use super::BLOCK;
use super::microkernel::{ActivationTile, MOST_PARTS, PanelSums, Sums, WeightTile};
use crate::amx::{Feature, ROW_BYTES, TileRegisters, WEIGHT_ROWS};
use crate::simd::{Fma, dispatch};
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, TILE_ROWS};
use crate::transpose::transpose;

/// Bits of the lower part: an activation (12 bits) and a weight (13 bits, -4096 to 4096) leave a byte for the upper one.
pub(super) const LOW_BITS: u32 = 6;
const LOW_MASK: i16 = (1 << LOW_BITS) - 1;

/// The parts of a tile's rows, upper and lower: as large as [`ActivationTile`].
type Activations = [[[u8; BLOCK]; TILE_ROWS]; 2];
/// Four inputs in a row.
type Quad = [u8; 4];
/// The parts of a tile's columns: as large as [`WeightTile`]. A narrow tile, of bytes, has the upper one only.
type Weights = [[[Quad; TILE_COLUMNS]; BLOCK / 4]; 2];

const _: () = assert!(size_of::<Activations>() == size_of::<ActivationTile>());
const _: () = assert!(size_of::<Weights>() == size_of::<WeightTile>());
/// A register has half of a block's inputs.
const _: () = assert!(BLOCK == 2 * ROW_BYTES && BLOCK == 2 * 4 * WEIGHT_ROWS);

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
fn store_row_body<F: Fma>(values: &[i16; BLOCK], r: usize, to: &mut ActivationTile) {
    let [up, low]: &mut Activations = bytemuck::cast_mut(to);
    up[r].iter_mut().zip(values).for_each(|(to, v)| *to = upper(*v));
    low[r].iter_mut().zip(values).for_each(|(to, v)| *to = lower(*v));
}
dispatch!(pub(super) fn store_row(values: &[i16; BLOCK], r: usize, to: &mut ActivationTile) = store_row_body);

/// All columns of a tile; `narrow`: all weights are bytes, which are not cut.
#[inline(always)]
pub(super) fn store_columns<F: Fma>(
    columns: [&[i16; BLOCK]; TILE_COLUMNS],
    narrow: bool,
    to: &mut WeightTile,
) {
    let [first, second]: &mut Weights = bytemuck::cast_mut(to);
    let mut bytes = [[0u8; BLOCK]; TILE_COLUMNS];
    let mut put = |part: fn(i16) -> u8, to: &mut [[Quad; TILE_COLUMNS]]| {
        for (bytes, column) in bytes.iter_mut().zip(columns) {
            bytes.iter_mut().zip(column).for_each(|(to, v)| *to = part(*v));
        }
        transpose::<F, Quad>(bytes.each_ref().map(|bytes| bytes.as_chunks().0), to);
    };
    if narrow {
        put(|v| v as u8, first);
    } else {
        put(upper, first);
        put(lower, second);
    }
}

/// This thread's hold on the registers: sums come first, then weights up to 3, then activations.
pub(super) struct Bytes {
    registers: TileRegisters,
    narrow: bool,
}

impl Bytes {
    pub(super) fn claim(narrow: bool) -> Option<Self> {
        let sums = if narrow { NARROW_PARTS } else { WIDE_PARTS };
        Some(Self { registers: TileRegisters::claim(Feature::Int8, sums..4)?, narrow })
    }

    /// How many parts the sums have.
    pub(super) fn parts(&self) -> usize {
        if self.narrow { NARROW_PARTS } else { WIDE_PARTS }
    }

    /// The sums of a panel's tiles over one block, in parts.
    #[inline(always)]
    pub(super) fn panel_sums(&self, a: &ActivationTile, b: &[WeightTile; PANEL_TILES], sums: &mut PanelSums) {
        #[cfg(target_arch = "x86_64")]
        {
            let multiply = if self.narrow { x86::narrow } else { x86::wide };
            multiply(&self.registers, bytemuck::cast_ref(a), bytemuck::cast_ref(b), &mut sums.0);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (&self.registers, a, b, sums); // nothing is ever claimed there
    }
}

/// Parts of the sums: upper and lower activations by weights of one byte.
const NARROW_PARTS: usize = 2;
/// Upper by upper, one by the other, lower by lower.
const WIDE_PARTS: usize = MOST_PARTS;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Activations, MOST_PARTS, PANEL_TILES, Sums, TileRegisters, Weights};
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
                sums: &mut [[Sums; MOST_PARTS]; PANEL_TILES],
            ) {
                const { assert!(size_of::<Sums>() == 768 && MOST_PARTS == 3 && size_of::<Weights>() == 4096) };
                // SAFETY: the registers are configured, as `_held` says. 4 to 7 load 12 rows of 64 bytes, 128 apart, from the
                // first or the second half of each row of a part of `a`, 1536 bytes each. PANEL_TILES times, 16 rows of 64 bytes are loaded
                // from within the 4096 bytes at `b`, and 12 rows of 64 bytes stored for each part.
                unsafe {
                    asm!(
                        "tileloadd tmm4, [{a} + {wide}]",
                        "tileloadd tmm5, [{a} + {wide} + 64]",
                        "tileloadd tmm6, [{a} + {wide} + 1536]",
                        "tileloadd tmm7, [{a} + {wide} + 1600]",
                        "2:",
                        $($sum,)*
                        $tile,
                        "add {b}, 4096",
                        "add {to}, 2304",
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
            "tilestored [{to} + {tight} + 768], tmm1\n",
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
            "tilestored [{to} + {tight} + 768], tmm1\n",
            "tilestored [{to} + {tight} + 1536], tmm2\n",
        ),
        "tilezero tmm0"
        "tilezero tmm1"
        "tilezero tmm2"
    );
}
