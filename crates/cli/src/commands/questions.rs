//! Questions from standard input.

use crate::out::note;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, IsTerminal, Write};

/// The next line that is not blank; None at the end of input.
pub(super) fn next_question() -> Result<Option<String>> {
    let input = std::io::stdin();
    loop {
        if input.is_terminal() {
            write!(std::io::stderr(), "> ")?;
        }
        let mut line = Vec::new();
        if input.lock().read_until(b'\n', &mut line).context("standard input")? == 0 {
            return Ok(None);
        }
        match std::str::from_utf8(&line).map(str::trim) {
            Ok("") => (),
            Ok(question) => return Ok(Some(question.to_owned())),
            // As with a question that fails.
            Err(_) if input.is_terminal() => note("longsight: that is no UTF-8 text"),
            Err(_) => bail!("standard input: a question is no UTF-8 text"),
        }
    }
}
