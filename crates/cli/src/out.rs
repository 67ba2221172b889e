//! Standard output and standard error. Names of files and what they hold may have control characters in them, with which they
//! could move a terminal's cursor or forge a line: people's output has them escaped, JSON escapes them itself.

use anyhow::{Context, Result};
use longsight_text::escaped_lines;
use serde::Serialize;
use std::io::{IsTerminal, Write};

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

/// An answer's text on standard output as it comes.
pub struct AnswerStream {
    shown: bool,
    began: bool,
    failed: Option<std::io::Error>,
}

impl AnswerStream {
    /// Without `shown` nothing is written.
    pub fn new(shown: bool) -> Self {
        Self { shown, began: false, failed: None }
    }

    /// Whether more text would be written: it is asked for, and the output has not failed.
    pub fn is_shown(&self) -> bool {
        self.shown && self.failed.is_none()
    }

    /// Whether the output has failed, such as a pipe whose reader left.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    pub fn write(&mut self, piece: &str) {
        self.began = true;
        let mut out = std::io::stdout();
        let piece = if out.is_terminal() { harmless(piece) } else { piece.to_owned() };
        self.failed = out.write_all(piece.as_bytes()).and_then(|()| out.flush()).err();
    }

    /// Ends the text with a line feed, and reports an output that failed meanwhile. Without an answer, and without the
    /// beginning of one, nothing is written.
    pub fn finish(self, answered: bool) -> Result<()> {
        let ended = match self.failed {
            Some(error) => Err(error),
            None if self.shown && (answered || self.began) => writeln!(std::io::stdout()),
            None => Ok(()),
        };
        ended.context("standard output")
    }
}

/// Without the control characters by which a text could move a terminal's cursor or change its title.
pub fn harmless(piece: &str) -> String {
    piece.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}
