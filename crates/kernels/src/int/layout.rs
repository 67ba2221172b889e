//! How the operands and sums of a tile lie in memory.

use crate::quantized::block::{BLOCK, SUBBLOCKS};
use crate::tiles::{Aligned, PANEL_TILES, TILE_COLUMNS, TILE_ROWS};

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

/// Bits of the lower part: an activation (12 bits) and a weight (13 bits, -4096 to 4096) leave a byte for the upper one.
pub(crate) const LOW_BITS: u32 = 6;

/// The sum in column `c` of row `r`.
#[inline(always)]
pub(crate) fn joined<const ROWS: usize>(parts: &[Sums<ROWS>], r: usize, c: usize) -> i32 {
    parts.iter().fold(0, |sum: i32, part| (sum << LOW_BITS).wrapping_add(part[r][c]))
}

/// One block of the rows of a tile.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct PackedBlock<const ROWS: usize> {
    pub(crate) values: ActivationTile<ROWS>,
    pub(crate) scales: [f32; ROWS],
    pub(crate) sums: [[f32; SUBBLOCKS]; ROWS],
    /// The same over the block.
    pub(crate) integer_sums: [i32; ROWS],
    /// Whether any row has 12 bits.
    pub(crate) is_wide: bool,
}

// SAFETY: integers, floats and a flag, for which zeros are values.
#[allow(unsafe_code)]
unsafe impl<const ROWS: usize> bytemuck::Zeroable for PackedBlock<ROWS> {}
