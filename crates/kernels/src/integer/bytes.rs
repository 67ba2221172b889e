//! The same sums by AMX, which multiplies bytes: every integer is cut in a signed upper and an unsigned lower part of six
//! bits, `x = 64 u + l`, and the products of the parts are summed apart. All of it is exact, so the sums are those of the
//! 16-bit pairs, bit for bit.

use super::BLOCK;
use super::microkernel::{ActivationTile, Sums, WeightTile};
use crate::amx::{Feature, ROW_BYTES, TileRegisters, WEIGHT_ROWS};
use crate::simd::{Fma, dispatch};
use crate::tiles::{TILE_COLUMNS, TILE_ROWS};
use crate::transpose::transpose;

/// Bits of the lower part: an activation (12 bits) and a weight (13 bits, -4096 to 4096) leave a byte for the upper one.
const LOW_BITS: u32 = 6;
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

/// This thread's hold on the registers.
pub(super) struct Bytes(TileRegisters);

impl Bytes {
    pub(super) fn claim() -> Option<Self> {
        TileRegisters::claim(Feature::Int8).map(Self)
    }

    /// The sums of one tile over one block.
    #[inline]
    pub(super) fn tile_sums(&self, a: &ActivationTile, b: &WeightTile, narrow: bool, sums: &mut Sums) {
        #[cfg(target_arch = "x86_64")]
        if narrow {
            let mut parts = [[[0; TILE_COLUMNS]; TILE_ROWS]; 2];
            x86::narrow(&self.0, bytemuck::cast_ref(a), bytemuck::cast_ref(b), &mut parts);
            join(&parts, sums);
        } else {
            let mut parts = [[[0; TILE_COLUMNS]; TILE_ROWS]; 3];
            x86::wide(&self.0, bytemuck::cast_ref(a), bytemuck::cast_ref(b), &mut parts);
            join(&parts, sums);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (a, b, narrow, sums); // nothing is ever claimed there
    }
}

/// The parts, the uppermost first, each worth 64 times the next.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
fn join<const N: usize>(parts: &[Sums; N], sums: &mut Sums) {
    for (r, sums) in sums.iter_mut().enumerate() {
        for (c, sum) in sums.iter_mut().enumerate() {
            *sum = parts.iter().fold(0, |sum: i32, part| (sum << LOW_BITS).wrapping_add(part[r][c]));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Activations, Sums, TileRegisters, Weights};
    use std::arch::asm;

    /// Upper and lower part of the activations by weights of one byte.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) fn narrow(_held: &TileRegisters, a: &Activations, b: &Weights, sums: &mut [Sums; 2]) {
        // SAFETY: the registers are configured, as `_held` says: 4 and 5 load 12 rows of 64 bytes, 128 apart, from the first or the
        // second half of each row of `a`; 6 loads 16 rows of 64 bytes, half of the first part of `b`; 0 and 1 store 12 rows of 64 bytes.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tileloadd tmm6, [{b} + {tight}]",
                "tileloadd tmm4, [{up} + {wide}]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{low} + {wide}]",
                "tdpbusd tmm1, tmm5, tmm6",
                "tileloadd tmm7, [{b} + {tight} + 1024]",
                "tileloadd tmm4, [{up} + {wide} + 64]",
                "tdpbssd tmm0, tmm4, tmm7",
                "tileloadd tmm5, [{low} + {wide} + 64]",
                "tdpbusd tmm1, tmm5, tmm7",
                "tilestored [{first} + {tight}], tmm0",
                "tilestored [{second} + {tight}], tmm1",
                up = in(reg) &raw const a[0],
                low = in(reg) &raw const a[1],
                b = in(reg) b,
                first = in(reg) &raw mut sums[0],
                second = in(reg) &raw mut sums[1],
                tight = in(reg) 64usize,
                wide = in(reg) 128usize,
                out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    /// Both parts of both.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) fn wide(_held: &TileRegisters, a: &Activations, b: &Weights, sums: &mut [Sums; 3]) {
        // SAFETY: as above; 7 loads half of the second part of `b`.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tileloadd tmm6, [{b} + {tight}]",
                "tileloadd tmm4, [{up} + {wide}]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{low} + {wide}]",
                "tdpbusd tmm1, tmm5, tmm6",
                "tileloadd tmm7, [{b} + {tight} + 2048]",
                "tdpbuud tmm2, tmm5, tmm7",
                "tdpbsud tmm1, tmm4, tmm7",
                "tileloadd tmm6, [{b} + {tight} + 1024]",
                "tileloadd tmm4, [{up} + {wide} + 64]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{low} + {wide} + 64]",
                "tdpbusd tmm1, tmm5, tmm6",
                "tileloadd tmm7, [{b} + {tight} + 3072]",
                "tdpbuud tmm2, tmm5, tmm7",
                "tdpbsud tmm1, tmm4, tmm7",
                "tilestored [{first} + {tight}], tmm0",
                "tilestored [{second} + {tight}], tmm1",
                "tilestored [{third} + {tight}], tmm2",
                up = in(reg) &raw const a[0],
                low = in(reg) &raw const a[1],
                b = in(reg) b,
                first = in(reg) &raw mut sums[0],
                second = in(reg) &raw mut sums[1],
                third = in(reg) &raw mut sums[2],
                tight = in(reg) 64usize,
                wide = in(reg) 128usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}
