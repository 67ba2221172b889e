//! Signals that would end the process where an error can be told.

/// Makes a write past the limit on file sizes (`ulimit -f`, a job's quota) fail as an error, `File too large`. Without it the
/// system ends the process with SIGXFSZ in the middle of the write. Child processes inherit it.
pub fn fail_writes_past_size_limit() {
    #[cfg(unix)]
    // SAFETY: ignoring a signal installs no handler, so no code of ours runs in one.
    #[allow(unsafe_code)]
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
