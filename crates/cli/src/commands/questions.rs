//! Questions from standard input.

use crate::out::note;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, IsTerminal, Read, Write};

/// A longer line is no question: a device, or a file of something else.
const MAX_QUESTION_BYTES: u64 = 1 << 20;

/// The next line that is not blank; None at the end of input.
pub(super) fn next_question() -> Result<Option<String>> {
    let input = std::io::stdin();
    loop {
        if input.is_terminal() {
            write!(std::io::stderr(), "> ")?;
        }
        let mut line = Vec::new();
        let mut limited = input.lock().take(MAX_QUESTION_BYTES + 1);
        if limited.read_until(b'\n', &mut line).context("standard input")? == 0 {
            return Ok(None);
        }
        ensure!(
            line.len() as u64 <= MAX_QUESTION_BYTES,
            "standard input: a question is longer than {MAX_QUESTION_BYTES} bytes; a line is one question"
        );
        match std::str::from_utf8(&line).map(|line| line.trim_start_matches('\u{feff}').trim()) {
            Ok("") => (),
            Ok(question) => return Ok(Some(question.to_owned())),
            // As with a question that fails.
            Err(_) if input.is_terminal() => note("longsight: that is no UTF-8 text"),
            Err(_) => bail!("standard input: a question is no UTF-8 text"),
        }
    }
}
