//! Text that people bring: files read with a limit ([`read_file`], [`read_text`]), in whatever encoding they are
//! ([`decode`]), and names and values made fit for one line of a message ([`shown`], [`escaped`]).
//!
//! The one reader of small files, so that a device, a pipe or a mistyped name is one clear line wherever it is named, and
//! never a program that grows until the system ends it.

mod encoding;
mod file;
mod shown;

pub use encoding::{Decoded, EncodingSource, TextEncoding, decode};
pub use file::{TextError, plain_lines, read_file, read_text};
pub use shown::{MAX_SHOWN_CHARS, escaped, escaped_lines, sentence, shown};
