//! The allocator of large blocks.

use super::mapping::{HUGE_PAGE_BYTES, map_large, used_bytes};
use super::spare;
use std::alloc::{GlobalAlloc, Layout, System};

/// An allocator that maps blocks of 1 MiB or more apart, in huge pages where the system gives them. Activations are such
/// blocks, made and freed by each layer, page fault by page fault: up to 48 MiB of freed ones wait for the next of their size,
/// the others go back to the system.
pub struct HugePages;

/// Blocks from here on are mappings of their own.
const LARGE_BYTES: usize = 1 << 20;

fn is_large(layout: Layout) -> bool {
    cfg!(target_os = "linux") && layout.size() >= LARGE_BYTES && layout.align() <= HUGE_PAGE_BYTES
}

// SAFETY: large blocks are mappings of their own, aligned to a huge page, used again for blocks that take as many pages and
// unmapped with the size they were made with; all others are the system allocator's.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match is_large(layout) {
            true => spare::take(used_bytes(layout.size())).unwrap_or_else(|| map_large(layout.size())),
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            return unsafe { System.alloc_zeroed(layout) };
        }
        // New mappings are zero, spare ones are not.
        match spare::take(used_bytes(layout.size())) {
            Some(block) => {
                // SAFETY: the block is as large.
                unsafe { block.write_bytes(0, layout.size()) };
                block
            }
            None => map_large(layout.size()),
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match is_large(layout) {
            true => spare::keep(block, used_bytes(layout.size())),
            false => unsafe { System.dealloc(block, layout) },
        }
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

#[cfg(all(test, target_os = "linux"))]
#[allow(unsafe_code)]
mod tests {
    use super::super::mapping::{PAGES_BYTES, reservation};
    use super::*;

    #[test]
    fn large_blocks_are_zero_aligned_and_keep_their_bytes_when_they_grow_and_shrink() {
        for bytes in [
            1 << 10,
            LARGE_BYTES - 1,
            LARGE_BYTES,
            HUGE_PAGE_BYTES - 1,
            HUGE_PAGE_BYTES,
            3 * HUGE_PAGE_BYTES + 12_345,
        ] {
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
