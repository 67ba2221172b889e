//! Hints for the caches.

use crate::simd::Fma;

/// Asks for what follows `bytes` a KiB further on: decoding waits for memory, and does more often where blocks are not whole
/// cache lines.
#[inline(always)]
pub(crate) fn prefetch<F: Fma>(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        for line in (0..bytes.len()).step_by(LINE) {
            x86::near(bytes.as_ptr().wrapping_add(1024 + line));
        }
    }
    let _ = bytes;
}

/// Asks for what is needed some thousand operations later.
#[inline(always)]
pub(crate) fn prefetch_early<F: Fma>(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        for line in (0..bytes.len()).step_by(LINE) {
            x86::far(bytes.as_ptr().wrapping_add(line));
        }
    }
    let _ = bytes;
}

/// Asks for all of what is read next.
#[inline(always)]
pub(crate) fn prefetch_next<F: Fma, T>(next: &T) {
    #[cfg(target_arch = "x86_64")]
    if F::VECTORS {
        for line in (0..size_of::<T>()).step_by(LINE) {
            x86::near(std::ptr::from_ref(next).cast::<u8>().wrapping_add(line));
        }
    }
    let _ = next;
}

#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};

    /// To the first-level cache.
    #[inline(always)]
    pub(super) fn near(at: *const u8) {
        // SAFETY: a hint, for any address.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(at.cast());
        }
    }

    /// To the second-level cache: the first has no room for what comes later.
    #[inline(always)]
    pub(super) fn far(at: *const u8) {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(at.cast());
        }
    }
}
