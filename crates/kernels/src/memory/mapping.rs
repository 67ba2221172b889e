//! Large blocks from the system, and back.

/// Size and alignment of a huge page of x86-64 and of most aarch64 systems.
pub(super) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Bytes that a block takes, as `unmap` will unmap them, and those to reserve: wherever in them the first huge page begins,
/// the block lies inside.
#[cfg(target_os = "linux")]
pub(super) fn reservation(bytes: usize) -> Option<(usize, usize)> {
    let used = used_bytes(bytes);
    Some((used, used.checked_add(HUGE_PAGE_BYTES)?))
}

/// A new zeroed mapping that begins at a huge page; null when there is no memory.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(super) fn map_large(bytes: usize) -> *mut u8 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let Some((used, reserved)) = reservation(bytes) else { return std::ptr::null_mut() };
    // SAFETY: an anonymous mapping anywhere; what is cut off before and after it is inside it.
    unsafe {
        let start = libc::mmap(std::ptr::null_mut(), reserved, protection, flags, -1, 0);
        if start == libc::MAP_FAILED {
            return std::ptr::null_mut();
        }
        let before = start.cast::<u8>().align_offset(HUGE_PAGE_BYTES);
        let block = start.cast::<u8>().add(before);
        if before > 0 {
            libc::munmap(start, before);
        }
        if reserved > before + used {
            libc::munmap(block.add(used).cast(), reserved - before - used);
        }
        libc::madvise(block.cast(), used, libc::MADV_HUGEPAGE); // a wish
        block
    }
}

/// Bytes of the mapping of a block; a layout is at most `isize::MAX` bytes, so that nothing overflows.
pub(super) fn used_bytes(bytes: usize) -> usize {
    bytes.next_multiple_of(PAGES_BYTES)
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(super) fn unmap(block: *mut u8, used: usize) {
    // SAFETY: `map_large` made this mapping, of this size.
    unsafe { libc::munmap(block.cast(), used) };
}

/// Mappings end at a page; 64 KiB is the largest in use.
pub(super) const PAGES_BYTES: usize = 64 << 10;

#[cfg(not(target_os = "linux"))]
pub(super) fn map_large(_: usize) -> *mut u8 {
    std::ptr::null_mut() // not called: nothing is large there
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unmap(_: *mut u8, _: usize) {}
