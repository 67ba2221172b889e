//! Columns of 32-bit lanes to rows of them: the order in which the tiles of a product are read.

use crate::simd::Fma;
use crate::tiles::TILE_COLUMNS;

/// `to[k][c] = columns[c][k]` for as many k as `to` has rows.
///
/// # Panics
/// When a column is shorter than `to`.
#[inline(always)]
pub(crate) fn transpose<F: Fma, T: Copy>(columns: [&[T]; TILE_COLUMNS], to: &mut [[T; TILE_COLUMNS]]) {
    const { assert!(size_of::<T>() == 4) };
    let columns = columns.map(|column| &column[..to.len()]);
    #[cfg(target_arch = "x86_64")]
    let done = if F::VECTORS {
        // SAFETY: the CPU has AVX2, as `F::VECTORS` says, and T has 4 bytes.
        #[allow(unsafe_code)]
        unsafe {
            x86::transpose(&columns, to)
        }
    } else {
        0
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    for (c, column) in columns.iter().enumerate() {
        for (row, value) in to.iter_mut().zip(*column).skip(done) {
            row[c] = *value;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::TILE_COLUMNS;
    use std::arch::x86_64::*;

    const SIDE: usize = 8;

    /// Squares of 8 x 8; returns how many rows those are. T has 4 bytes, and columns are as long as `to`.
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn transpose<T>(columns: &[&[T]; TILE_COLUMNS], to: &mut [[T; TILE_COLUMNS]]) -> usize {
        for (half, columns) in columns.as_chunks::<SIDE>().0.iter().enumerate() {
            for (part, rows) in to.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                // SAFETY: part x 8 + 8 <= to.len(), which every column has.
                let load =
                    |c: usize| unsafe { _mm256_loadu_si256(columns[c].as_ptr().add(part * SIDE).cast()) };
                for (row, lanes) in rows.iter_mut().zip(square(std::array::from_fn(load))) {
                    // SAFETY: a row has 16 lanes: 8 from 8 x half on.
                    unsafe { _mm256_storeu_si256(row.as_mut_ptr().add(half * SIDE).cast(), lanes) };
                }
            }
        }
        to.len() / SIDE * SIDE
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn square(v: [__m256i; 8]) -> [__m256i; 8] {
        // ab[0]: columns 0, 1 of rows 0, 1 and 4, 5; then four columns; then the halves.
        let pairs = |i: usize| (_mm256_unpacklo_epi32(v[i], v[i + 1]), _mm256_unpackhi_epi32(v[i], v[i + 1]));
        let (p0, p1, p2, p3) = (pairs(0), pairs(2), pairs(4), pairs(6));
        let quads = |a: (__m256i, __m256i), b: (__m256i, __m256i)| {
            [
                _mm256_unpacklo_epi64(a.0, b.0),
                _mm256_unpackhi_epi64(a.0, b.0),
                _mm256_unpacklo_epi64(a.1, b.1),
                _mm256_unpackhi_epi64(a.1, b.1),
            ]
        };
        let (left, right) = (quads(p0, p1), quads(p2, p3));
        std::array::from_fn(|i| {
            let (l, r) = (left[i % 4], right[i % 4]);
            if i < 4 {
                _mm256_permute2x128_si256::<0x20>(l, r)
            } else {
                _mm256_permute2x128_si256::<0x31>(l, r)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Fused, Separate};

    #[test]
    fn both_versions_agree() {
        #[cfg(target_arch = "x86_64")]
        if crate::isa::level() == crate::isa::Level::Baseline {
            return;
        }
        for rows in [0, 1, 7, 8, 64, 77] {
            let columns: Vec<Vec<u32>> =
                (0..TILE_COLUMNS).map(|c| (0..rows).map(|k| (c * 1000 + k) as u32).collect()).collect();
            let columns = std::array::from_fn(|c| &columns[c][..]);
            let (mut a, mut b) = (vec![[0; TILE_COLUMNS]; rows], vec![[0; TILE_COLUMNS]; rows]);
            transpose::<Fused, u32>(columns, &mut a);
            transpose::<Separate, u32>(columns, &mut b);
            assert_eq!(a, b);
            assert!(a.iter().enumerate().all(|(k, row)| row[5] == (5000 + k) as u32));
        }
    }
}
