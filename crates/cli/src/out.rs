//! Standard output and standard error.

use anyhow::{Context, Result};
use serde::Serialize;
use std::io::{IsTerminal, Write};

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
