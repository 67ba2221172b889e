//! Small files, read whole.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::encoding::{EncodingSource, decode};
use crate::shown::shown;

/// Why a file cannot be read. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The path does not exist.
    #[error("{}: no such file", name(path))]
    Missing {
        /// As typed.
        path: PathBuf,
    },
    /// A folder, a device or a pipe.
    #[error("{}: is not a regular file", name(path))]
    NotAFile {
        /// As typed.
        path: PathBuf,
    },
    /// Larger than what it is for.
    #[error("{}: is larger than the limit of {limit_bytes} bytes; is it the right file?", name(path))]
    TooLarge {
        /// As typed.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// Neither UTF-8 nor UTF-16 with a byte order mark.
    #[error("{}: is not UTF-8 text; save it as UTF-8", name(path))]
    NotUtf8 {
        /// As typed.
        path: PathBuf,
    },
    /// The system's reason.
    #[error("{}: {source}", name(path))]
    Io {
        /// As typed.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn name(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// Reads a regular file of at most `limit_bytes`.
///
/// # Errors
/// A missing file, a device, a pipe, a folder, a larger file (also one that grows meanwhile), what the system says.
pub fn read_file(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, TextError> {
    let io = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => TextError::Missing { path: path.into() },
        _ => TextError::Io { path: path.into(), source },
    };
    // Looked at before it is opened: opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(TextError::NotAFile { path: path.into() });
    }
    let mut bytes = Vec::new();
    if metadata.len() <= limit_bytes {
        File::open(path).map_err(io)?.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(io)?;
    }
    if metadata.len().max(bytes.len() as u64) > limit_bytes {
        return Err(TextError::TooLarge { path: path.into(), limit_bytes });
    }
    Ok(bytes)
}

/// Reads a text file of at most `limit_bytes`: UTF-8, or UTF-16 with a byte order mark; the mark is left out, and lines end
/// with a line feed alone.
///
/// # Errors
/// Those of [`read_file`]; another encoding.
pub fn read_text(path: &Path, limit_bytes: u64) -> Result<String, TextError> {
    let decoded = decode(&read_file(path, limit_bytes)?, None);
    if decoded.replaced || decoded.source == EncodingSource::Guessed {
        return Err(TextError::NotUtf8 { path: path.into() });
    }
    Ok(plain_lines(decoded.text))
}

/// With a line feed at the end of each line, whatever stood there.
pub fn plain_lines(text: String) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_without_its_mark_and_with_plain_line_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.txt");
        let utf16: Vec<u8> = "\u{feff}é\r\nb".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in ["\u{feff}é\r\nb".as_bytes(), "é\rb".as_bytes(), &utf16] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_text(&path, 20).unwrap(), "é\nb");
        }
        std::fs::write(&path, b"caf\xe9").unwrap();
        assert!(matches!(read_text(&path, 20), Err(TextError::NotUtf8 { .. })));
    }

    #[test]
    fn what_is_no_small_file_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x\n.txt");
        std::fs::write(&path, [b'a'; 9]).unwrap();
        assert_eq!(read_file(&path, 9).unwrap().len(), 9);
        let said = |path: &Path| read_file(path, 8).unwrap_err().to_string();
        assert!(
            said(&path).ends_with("x\\n.txt: is larger than the limit of 8 bytes; is it the right file?")
        );
        assert!(said(folder.path()).ends_with("is not a regular file"));
        assert!(said(&folder.path().join("none")).ends_with("none: no such file"));
        if cfg!(unix) {
            assert_eq!(said(Path::new("/dev/zero")), "/dev/zero: is not a regular file");
        }
    }
}
