//! Every version beside exact sums.

use super::*;
use crate::int::amx::Amx;
use crate::int::i16::I16;
use crate::int::layout::{GROUPS, joined};
use crate::int::q4::Q4;
use crate::int::vnni::Vnni;
use crate::quantized::block::SUBBLOCKS;
use crate::simd::Separate;
use crate::tiles::{AMX_TILE_ROWS, TILE_ROWS};

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
            column.codes = std::array::from_fn(|_| if c == 15 { 15 } else { next(15).unsigned_abs() as u8 });
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

#[test]
fn every_multiplier_that_this_cpu_has_is_exact_at_the_extremes() {
    let kinds: [fn(usize) -> bool; 4] = [|_| false, |_| true, |r| r.is_multiple_of(3), |r| r == 1];
    for wide in kinds {
        for format in [Format::Int8, Format::Q4K, Format::Q6K] {
            check::<TILE_ROWS, I16>(format, wide);
            if Vnni::fits(format) {
                check::<TILE_ROWS, Vnni>(format, wide);
            }
            if Q4::fits(format) {
                check::<TILE_ROWS, Q4>(format, wide);
            }
            if Amx::fits() {
                check::<AMX_TILE_ROWS, Amx>(format, wide);
            }
        }
    }
}
