//! Standard output and standard error. Names of files and what they hold may have control characters in them, with which they
//! could move a terminal's cursor or forge a line: people's output has them escaped, JSON escapes them itself.

use anyhow::{Context, Result};
use longsight_text::escaped_lines;
use serde::Serialize;
use std::io::Write;

/// Writes one JSON object on a line of its own.
pub fn write_json(value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write_out(&line)
}

/// Writes one JSON object on several lines.
pub fn write_pretty_json(value: &impl Serialize) -> Result<()> {
    let mut lines = serde_json::to_vec_pretty(value)?;
    lines.push(b'\n');
    write_out(&lines)
}

/// Writes lines for people to standard output.
pub fn write_text(text: &str) -> Result<()> {
    write_out(escaped_lines(text).as_bytes())
}

fn write_out(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(bytes).and_then(|()| out.flush()).context("standard output")
}

/// Writes a line to standard error, or several; a closed one is no reason to fail.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", escaped_lines(line));
}
