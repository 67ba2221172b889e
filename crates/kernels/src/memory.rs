//! Where large blocks come from, and files as memory.

use std::alloc::{GlobalAlloc, Layout, System};

/// Makes the allocator map every block of 1 MiB or more apart and return it when it is freed.
///
/// glibc raises that limit to the largest block freed so far (up to 32 MiB), so that the frames and activations of a run
/// fragment its heaps: the peak then drifts by tens of MiB with the number of frames. Call it once, before the first
/// large allocation. Does nothing on systems without glibc.
pub fn return_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes two integers and touches only the allocator's own settings.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

/// An allocator that maps blocks of 2 MiB or more apart, in huge pages where the system gives them, and returns them when
/// they are freed. Activations of a tower are such blocks, made and freed by each layer, page fault by page fault.
pub struct HugePages;

/// Size and alignment of a huge page of x86-64 and of most aarch64 systems.
const HUGE_PAGE_BYTES: usize = 2 << 20;

fn is_large(layout: Layout) -> bool {
    cfg!(target_os = "linux") && layout.size() >= HUGE_PAGE_BYTES && layout.align() <= HUGE_PAGE_BYTES
}

// SAFETY: large blocks are mappings of their own, aligned to a huge page and unmapped with the size they were made with;
// all others are the system allocator's.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) { map_large(layout.size()) } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // New mappings are zero.
        if is_large(layout) { map_large(layout.size()) } else { unsafe { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout) { unmap(block, layout.size()) } else { unsafe { System.dealloc(block, layout) } }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_bytes: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(new_bytes, layout.align()) else {
            return std::ptr::null_mut();
        };
        if !is_large(layout) && !is_large(wanted) {
            return unsafe { System.realloc(block, layout, new_bytes) };
        }
        // SAFETY: both blocks hold the bytes copied, and are different blocks.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(block, moved, layout.size().min(new_bytes));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// Bytes that a block takes, as `unmap` will unmap them, and those to reserve: wherever in them the first huge page begins,
/// the block lies inside.
#[cfg(target_os = "linux")]
fn reservation(bytes: usize) -> Option<(usize, usize)> {
    let used = bytes.checked_next_multiple_of(PAGES_BYTES)?;
    Some((used, used.checked_add(HUGE_PAGE_BYTES)?))
}

/// A new zeroed mapping that begins at a huge page; null when there is no memory.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn map_large(bytes: usize) -> *mut u8 {
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

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn unmap(block: *mut u8, bytes: usize) {
    // SAFETY: `map_large` made this mapping, of this size.
    unsafe { libc::munmap(block.cast(), bytes.next_multiple_of(PAGES_BYTES)) };
}

/// Mappings end at a page; 64 KiB is the largest in use.
#[cfg(target_os = "linux")]
const PAGES_BYTES: usize = 64 << 10;

#[cfg(not(target_os = "linux"))]
fn map_large(_: usize) -> *mut u8 {
    std::ptr::null_mut() // not called: nothing is large there
}

#[cfg(not(target_os = "linux"))]
fn unmap(_: *mut u8, _: usize) {}

/// A file's bytes without reading them: pages come in when they are touched, and leave when memory is short.
#[derive(Debug)]
pub struct MappedFile(memmap2::Mmap);

impl MappedFile {
    /// Maps all of `file`, which nobody may shorten meanwhile: what a reader of the missing part gets is a signal.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(file: &std::fs::File) -> std::io::Result<Self> {
        // SAFETY: the bytes are only read, as plain integers; that they may change underneath is as with any file.
        #[allow(unsafe_code)]
        unsafe { memmap2::Mmap::map(file) }.map(Self)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(unsafe_code)]
mod tests {
    use super::*;

    #[test]
    fn large_blocks_are_zero_aligned_and_keep_their_bytes_when_they_grow_and_shrink() {
        for bytes in [1 << 10, HUGE_PAGE_BYTES - 1, HUGE_PAGE_BYTES, 3 * HUGE_PAGE_BYTES + 12_345] {
            let layout = Layout::from_size_align(bytes, 64).unwrap();
            // SAFETY: blocks are used within their sizes and freed with their layouts.
            unsafe {
                let block = HugePages.alloc_zeroed(layout);
                assert!(!block.is_null() && block.align_offset(64) == 0);
                assert!(std::slice::from_raw_parts(block, bytes).iter().all(|b| *b == 0));
                block.write_bytes(7, bytes);
                for wanted in [bytes * 3, bytes / 2, bytes + 1] {
                    let block = HugePages.alloc_zeroed(layout);
                    block.write_bytes(7, bytes);
                    let moved = HugePages.realloc(block, layout, wanted);
                    let kept = std::slice::from_raw_parts(moved, wanted.min(bytes));
                    assert!(kept.iter().all(|b| *b == 7));
                    HugePages.dealloc(moved, Layout::from_size_align(wanted, 64).unwrap());
                }
                HugePages.dealloc(block, layout);
            }
        }
    }

    /// Or freeing a block would unmap what lies behind it.
    #[test]
    fn all_that_is_unmapped_was_reserved() {
        for bytes in (0..600).map(|i| HUGE_PAGE_BYTES + 1 + i * 4093) {
            let (used, reserved) = reservation(bytes).unwrap();
            assert!(used >= bytes && used == bytes.next_multiple_of(PAGES_BYTES));
            let latest = HUGE_PAGE_BYTES - 1; // where the first huge page may begin
            assert!(latest + used <= reserved);
        }
    }

    #[test]
    fn more_than_there_is_fails_without_an_end_of_the_process() {
        let layout = Layout::from_size_align(isize::MAX as usize - (1 << 30), 64).unwrap();
        // SAFETY: nothing is used.
        assert!(unsafe { HugePages.alloc(layout) }.is_null());
    }
}
