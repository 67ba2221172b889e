//! Many rows by bf16 weights where the CPU has AMX: 16 x 16 x 32 multiply-adds an instruction.
//!
//! Activations are not rounded to bf16 but cut in two of them, `x = upper + lower`, which leaves an error of 2^-17 of x: that of
//! f32 sums of some hundred terms. That takes two products for one, and is still several times as fast as f32 vectors.

use super::Linear;
use crate::amx::{Feature, ROW_BYTES, ROWS, TileRegisters};
use crate::simd::{Fma, dispatch};
use crate::tiles::{Aligned, PANEL_TILES, TILE_COLUMNS, Tile, Tiling};
use crate::transpose::transpose;
use half::bf16;
use rayon::prelude::*;

/// Inputs that one instruction takes.
const CHUNK: usize = ROW_BYTES / 2;
/// Chunks a block: its weights take 16 KiB of L1.
const BLOCK_CHUNKS: usize = 4;
const BLOCK: usize = BLOCK_CHUNKS * CHUNK;
/// Most row tiles a task: their activations of one block take 192 KiB of L2, and their results 96.
const MAX_TASK_TILES: usize = 32;

/// Upper and lower parts of a chunk of the rows of a tile.
type Activations = Aligned<[[[bf16; CHUNK]; ROWS]; 2]>;
/// Two inputs in a row, of every column.
type Pairs = [[bf16; 2]; TILE_COLUMNS];
/// A chunk of the columns of a tile.
type Weights = [Pairs; ROWS];

const _: () = assert!(CHUNK == 2 * ROWS && size_of::<Tile<ROWS>>() == ROWS * ROW_BYTES);

/// One block of a panel.
#[repr(C, align(64))]
struct Panel([[Weights; PANEL_TILES]; BLOCK_CHUNKS]);

/// Whether [`product`] can be called.
pub(super) fn fits() -> bool {
    crate::amx::has(Feature::Bf16)
}

/// `x W^T + b` into `y`; `weight` is that of `layer`. A result depends on its own row of `x` only.
///
/// # Panics
/// Where [`fits`] says no.
pub(super) fn product(layer: &Linear<'_>, weight: &[bf16], bias: Option<&[f32]>, x: &[f32], y: &mut [f32]) {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let chunks = inputs.div_ceil(CHUNK);
    let packed = pack(x, inputs);
    let tiling = Tiling { rows: x.len() / inputs, outputs, bias, max_task_tiles: MAX_TASK_TILES };
    let zero = [[[[bf16::ZERO; 2]; TILE_COLUMNS]; ROWS]; PANEL_TILES];
    tiling.run(
        y,
        || Box::new(Panel([zero; BLOCK_CHUNKS])),
        |panel, first_column, tiles, totals| {
            let registers = TileRegisters::claim(Feature::Bf16).expect("asked for where they are");
            let tiles = &packed[tiles.start * chunks..tiles.end * chunks];
            for start in (0..chunks).step_by(BLOCK_CHUNKS) {
                let block = start..chunks.min(start + BLOCK_CHUNKS);
                load(weight, layer, first_column, start * CHUNK, panel);
                for (tile, totals) in tiles.chunks_exact(chunks).zip(&mut *totals) {
                    multiply(&registers, &tile[block.clone()], panel, &mut totals.0);
                }
            }
        },
    );
}

/// `x` `[rows, inputs]` by row tiles, and by chunks within them; what is beyond the last row and input is zero.
fn pack(x: &[f32], inputs: usize) -> Vec<Activations> {
    let (tiles, chunks) = ((x.len() / inputs).div_ceil(ROWS), inputs.div_ceil(CHUNK));
    let zero = Aligned([[[bf16::ZERO; CHUNK]; ROWS]; 2]);
    let mut packed = vec![zero; tiles * chunks];
    packed.par_chunks_exact_mut(chunks).zip(x.par_chunks(ROWS * inputs)).for_each(|(tile, x)| {
        for (r, row) in x.chunks_exact(inputs).enumerate() {
            cut_row(row, r, tile);
        }
    });
    packed
}

#[inline(always)]
fn cut_row_body<F: Fma>(row: &[f32], r: usize, tile: &mut [Activations]) {
    for (x, Aligned([upper, lower])) in row.chunks(CHUNK).zip(tile) {
        for ((x, upper), lower) in x.iter().zip(&mut upper[r]).zip(&mut lower[r]) {
            *upper = bf16::from_bits(rounded(*x));
            let rest = *x - f32::from_bits(u32::from(upper.to_bits()) << 16);
            // Infinite and not a number: the upper part says it all.
            *lower = bf16::from_bits(if rest.is_finite() { rounded(rest) } else { 0 });
        }
    }
}
dispatch!(
    /// Row `r` of a tile.
    fn cut_row(row: &[f32], r: usize, tile: &mut [Activations]) = cut_row_body
);

/// The bits of the nearest bf16, ties to even; in steps that compilers make vectors of.
#[inline(always)]
fn rounded(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    (if x.is_nan() { bits >> 16 | 0x40 } else { nearest }) as u16
}

#[inline(always)]
fn load_body<F: Fma>(
    weight: &[bf16],
    layer: &Linear<'_>,
    first_column: usize,
    first_input: usize,
    to: &mut Panel,
) {
    let count = BLOCK.min(layer.inputs - first_input);
    let mut rows = [[[bf16::ZERO; 2]; BLOCK / 2]; TILE_COLUMNS];
    let mut pairs: [Pairs; BLOCK / 2] = [[[bf16::ZERO; 2]; TILE_COLUMNS]; BLOCK / 2];
    for tile in 0..PANEL_TILES {
        let first = first_column + tile * TILE_COLUMNS;
        for (output, row) in (first..layer.outputs).zip(&mut rows) {
            let values = &weight[output * layer.inputs + first_input..][..count];
            bytemuck::cast_slice_mut(row)[..count].copy_from_slice(values);
        } // else: whatever is there; these columns are not stored
        transpose::<F, [bf16; 2]>(rows.each_ref().map(|row| &row[..]), &mut pairs);
        for (chunk, pairs) in to.0.iter_mut().zip(pairs.as_chunks().0) {
            chunk[tile] = *pairs;
        }
    }
}
dispatch!(
    /// A block of inputs of the weight rows of a panel; zero beyond the last input.
    fn load(
        weight: &[bf16],
        layer: &Linear<'_>,
        first_column: usize,
        first_input: usize,
        to: &mut Panel,
    ) = load_body
);

/// Adds the products of a row tile and a panel over the chunks of `x`.
#[inline]
fn multiply(_held: &TileRegisters, x: &[Activations], panel: &Panel, totals: &mut [Tile<ROWS>; PANEL_TILES]) {
    const { assert!(PANEL_TILES == 4 && size_of::<Tile<ROWS>>() == 1024 && size_of::<Weights>() == 1024) };
    const { assert!(size_of::<Activations>() == 2048) };
    assert!((1..=BLOCK_CHUNKS).contains(&x.len()));
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the registers are configured, as `_held` says, for 16 rows of 64 bytes: 0 to 3 load and store the four tiles of `totals`. As
    // many times as `x` has chunks, which the panel has too, 4 and 5 load the parts of a chunk, and 6 and 7 tiles of weights.
    #[allow(unsafe_code)]
    unsafe {
        std::arch::asm!(
            "tileloadd tmm0, [{y} + {tight}]",
            "tileloadd tmm1, [{y} + {tight} + 1024]",
            "tileloadd tmm2, [{y} + {tight} + 2048]",
            "tileloadd tmm3, [{y} + {tight} + 3072]",
            "2:",
            "tileloadd tmm4, [{x} + {tight}]",
            "tileloadd tmm6, [{w} + {tight}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{w} + {tight} + 1024]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{x} + {tight} + 1024]",
            "tdpbf16ps tmm0, tmm5, tmm6",
            "tdpbf16ps tmm1, tmm5, tmm7",
            "tileloadd tmm6, [{w} + {tight} + 2048]",
            "tdpbf16ps tmm2, tmm4, tmm6",
            "tileloadd tmm7, [{w} + {tight} + 3072]",
            "tdpbf16ps tmm3, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {x}, 2048",
            "add {w}, 4096",
            "dec {chunks}",
            "jnz 2b",
            "tilestored [{y} + {tight}], tmm0",
            "tilestored [{y} + {tight} + 1024], tmm1",
            "tilestored [{y} + {tight} + 2048], tmm2",
            "tilestored [{y} + {tight} + 3072], tmm3",
            x = inout(reg) x.as_ptr() => _,
            w = inout(reg) panel => _,
            chunks = inout(reg) x.len() => _,
            y = in(reg) totals,
            tight = in(reg) ROW_BYTES,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (panel, totals); // nothing is ever claimed there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_cut_without_loss_but_for_17_bits() {
        let mut tile = [Aligned([[[bf16::ZERO; CHUNK]; ROWS]; 2])];
        let numbers =
            [0.0, 1.0, -1.0 / 3.0, 1e-20, 65_504.3, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        cut_row(&numbers, 3, &mut tile);
        for (i, x) in numbers.into_iter().enumerate() {
            let (upper, lower) = (tile[0].0[0][3][i].to_f32(), tile[0].0[1][3][i].to_f32());
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
