//! Standard output and standard error.

use anyhow::{Context, Result};
use serde::Serialize;
use std::io::Write;

/// Writes one JSON object on a line of its own.
pub fn write_json(value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write_out(&line)
}

/// Writes to standard output.
pub fn write_out(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(bytes).and_then(|()| out.flush()).context("standard output")
}

/// Writes a line to standard error; a closed one is no reason to fail.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
