//! What a caller may show while files come in.

/// Told about each download, one file at a time.
///
/// `start` is called again for the same file when a broken connection is taken up again or the server makes the
/// download begin anew; `already_bytes` then says where it goes on. `finish` is called once a file, when it is whole.
pub trait DownloadProgress {
    /// `file` is about to come in; `already_bytes` of `total_bytes` (if known) are here.
    fn start(&self, file: &str, total_bytes: Option<u64>, already_bytes: u64);
    /// So many more bytes of the current file have been written.
    fn advance(&self, bytes: u64);
    /// The current file is complete and checked.
    fn finish(&self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl DownloadProgress for NoProgress {
    fn start(&self, _file: &str, _total_bytes: Option<u64>, _already_bytes: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {}
}
