//! Who multiplies a tile of rows by a panel of columns, and how both are laid out: the sums of all versions are equal, bit for bit.

use super::layout::{ActivationTile, PackedBlock, PanelSums, WeightTile};
use super::scaling::{self, Scales};
use crate::quantized::Format;
use crate::quantized::activations::ActivationBlock;
use crate::quantized::block::BLOCK;
use crate::quantized::unpack::WeightBlock;
use crate::simd::Fma;
use crate::tiles::{PANEL_TILES, TILE_COLUMNS, Totals};
use crate::transpose::transpose;

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

#[cfg(test)]
mod tests;
