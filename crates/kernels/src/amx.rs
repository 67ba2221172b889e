//! The tile registers of AMX: configuration, and this thread's hold on them.
//!
//! Linux on x86-64 only: the kernel has to be asked once a process before a tile may be touched. Elsewhere nothing is ever
//! claimed.

use crate::isa::{Feature, has_amx};
use crate::tiles::{AMX_TILE_ROWS, TILE_COLUMNS};
use std::marker::PhantomData;

/// Bytes a row of a tile register.
pub(crate) const ROW_BYTES: usize = 64;
/// Rows of a tile register.
pub(crate) const ROWS: usize = AMX_TILE_ROWS;

/// The eight tile registers of one thread, each configured as `[ROWS][ROW_BYTES]`: sums `[ROWS][TILE_COLUMNS]` of 32 bits,
/// activations, a row each, or weights, of which a row has four bytes of every column. Free again when it is dropped, on the
/// same thread: it cannot be sent.
pub(crate) struct TileRegisters(PhantomData<*const ()>);

/// The operand of `ldtilecfg`.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
static CONFIGURATION: Configuration = {
    const { assert!(TILE_COLUMNS * 4 == ROW_BYTES) };
    let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
    let mut register = 0;
    while register < 8 {
        (row_bytes[register], rows[register]) = (ROW_BYTES as u16, ROWS as u8);
        register += 1;
    }
    Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
};

impl TileRegisters {
    /// Configures them.
    ///
    /// # Panics
    /// Where the CPU does not have the feature: ask [`has_amx`] first.
    pub(crate) fn claim(feature: Feature) -> Self {
        assert!(has_amx(feature), "tiles: this CPU has none");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU has tiles and the system lets them be used, as `has_amx` says; the operand is a whole configuration.
        #[allow(unsafe_code)]
        unsafe {
            std::arch::asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly));
        }
        Self(PhantomData)
    }
}

impl Drop for TileRegisters {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: configured by `claim` on this thread.
        #[allow(unsafe_code)]
        unsafe {
            std::arch::asm!("tilerelease", options(nostack, nomem));
        }
    }
}
