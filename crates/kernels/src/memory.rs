//! The system allocator's habits.

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
