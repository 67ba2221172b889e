//! Where large blocks come from, and files as memory.

mod huge_pages;
mod mapped;
mod mapping;
mod spare;

pub use huge_pages::HugePages;
pub use mapped::MappedFile;
pub use spare::MOST_SPARE_BYTES;

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
