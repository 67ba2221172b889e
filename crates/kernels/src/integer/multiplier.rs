//! Who multiplies a tile of rows by a panel of columns, and how both are laid out: the sums of all versions are equal, bit for bit.

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

#[cfg(test)]
mod tests;
