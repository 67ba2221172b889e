//! The tile registers of AMX: permission, configuration, and this thread's hold on them.
//!
//! Linux on x86-64 only: the kernel has to be asked once a process before a tile may be touched. Elsewhere nothing is ever
//! claimed.

use crate::tiles::{AMX_TILE_ROWS, TILE_COLUMNS};
use std::marker::PhantomData;

/// Bytes a row of a tile register.
pub(crate) const ROW_BYTES: usize = 64;
/// Rows of a tile register.
pub(crate) const ROWS: usize = AMX_TILE_ROWS;

/// What a CPU with AMX can multiply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Bytes, summed in i32.
    Int8,
    /// bf16, summed in f32.
    Bf16,
}

/// Whether tiles of the kind can be multiplied here: the CPU does, and the system lets this process.
pub(crate) fn has(feature: Feature) -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return x86::has(feature);
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    {
        let _ = feature;
        false
    }
}

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
    /// Where the CPU does not have the feature: ask [`has`] first.
    pub(crate) fn claim(feature: Feature) -> Self {
        assert!(has(feature), "tiles: this CPU has none");
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the CPU has tiles and the system lets them be used, as `has` says; the operand is a whole configuration.
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

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod x86 {
    use super::Feature;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::sync::LazyLock;

    /// (int8, bf16).
    static FEATURES: LazyLock<(bool, bool)> = LazyLock::new(|| {
        const TILES: u32 = 1 << 24;
        const INT8: u32 = 1 << 25;
        const BF16: u32 = 1 << 22;
        if __cpuid(0).eax < 7 {
            return (false, false);
        }
        let bits = __cpuid_count(7, 0).edx;
        let tiles = bits & TILES != 0 && is_x86_feature_detected!("avx512f") && permitted();
        (tiles && bits & INT8 != 0, tiles && bits & BF16 != 0)
    });

    pub(super) fn has(feature: Feature) -> bool {
        match feature {
            Feature::Int8 => FEATURES.0,
            Feature::Bf16 => FEATURES.1,
        }
    }

    /// Asks the system for the tiles' state, for all threads of this process.
    fn permitted() -> bool {
        const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
        const XFEATURE_XTILEDATA: libc::c_ulong = 18;
        // SAFETY: takes two numbers; a system that does not know the request says so.
        #[allow(unsafe_code)]
        unsafe {
            libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0
        }
    }
}
