//! Hints for the caches.

use crate::simd::Fma;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};

/// Asks for what follows `bytes` a KiB further on: decoding waits for memory, and does more often where blocks are not whole
/// cache lines.
#[inline(always)]
pub(crate) fn prefetch<F: Fma>(bytes: &[u8]) {
    lines::<F>(bytes.as_ptr().wrapping_add(1024), bytes.len(), near);
}

/// Asks for what is needed some thousand operations later.
#[inline(always)]
pub(crate) fn prefetch_early<F: Fma>(bytes: &[u8]) {
    lines::<F>(bytes.as_ptr(), bytes.len(), far);
}

/// Asks for all of what is read next.
#[inline(always)]
pub(crate) fn prefetch_next<F: Fma, T>(next: &T) {
    lines::<F>(std::ptr::from_ref(next).cast(), size_of::<T>(), near);
}

/// Asks for every cache line of `count` bytes.
#[inline(always)]
fn lines<F: Fma>(first: *const u8, count: usize, ask: impl Fn(*const u8)) {
    const LINE: usize = 64;
    if F::VECTORS {
        (0..count).step_by(LINE).for_each(|at| ask(first.wrapping_add(at)));
    }
}

/// To the first-level cache.
#[inline(always)]
fn near(at: *const u8) {
    // SAFETY: a hint, for any address.
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    let _ = at;
}

/// To the second-level cache: the first has no room for what comes later.
#[inline(always)]
fn far(at: *const u8) {
    // SAFETY: as above.
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    unsafe {
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
    let _ = at;
}
