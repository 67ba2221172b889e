//! Files as memory.

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
