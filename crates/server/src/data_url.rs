//! `data:` URLs, as browsers read them: the WHATWG's Fetch standard for the URL, its Infra standard for base64.

use std::io::Write;

/// A `data:` URL in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataUrl<'a> {
    /// What stands before the first comma, without `base64`.
    kind: &'a str,
    /// What stands after it.
    text: &'a str,
}

/// Why the bytes of a `data:` URL cannot be written.
#[derive(Debug)]
pub(crate) enum DataError {
    NotBase64,
    Io(std::io::Error),
}

impl From<std::io::Error> for DataError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether this is a `data:` URL, of whatever kind.
pub(crate) fn is_data_url(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

impl<'a> DataUrl<'a> {
    /// None where it is not base64.
    pub(crate) fn parse(url: &'a str) -> Option<Self> {
        let (head, text) = url.get(5..).filter(|_| is_data_url(url))?.split_once(',')?;
        let (kind, coding) = head.trim_ascii().rsplit_once(';')?;
        coding.trim_start_matches(' ').eq_ignore_ascii_case("base64").then_some(Self { kind, text })
    }

    /// vLLM's way to send frames that are sampled already: JPEGs with commas between them, as one video.
    pub(crate) fn frames(self) -> Option<impl Iterator<Item = Self> + use<'a>> {
        let essence = self.kind.split(';').next().unwrap_or_default().trim_ascii();
        let frame = move |text| Self { kind: self.kind, text };
        essence.eq_ignore_ascii_case("video/jpeg").then(|| self.text.split(',').map(frame))
    }

    /// Writes its bytes to `out`.
    pub(crate) fn write(self, out: &mut dyn Write) -> Result<(), DataError> {
        const BLOCK_BYTES: usize = 48 << 10;
        let (mut bits, mut sextets, mut padding) = (0u32, 0usize, 0usize);
        let mut block = Vec::with_capacity(BLOCK_BYTES.min(self.text.len()));
        for byte in PercentDecoded(self.text.as_bytes()) {
            match byte {
                b'\t' | b'\n' | 0x0c | b'\r' | b' ' => continue,
                b'=' => {
                    padding += 1;
                    continue;
                }
                _ => (),
            }
            let sextet = sextet(byte).filter(|_| padding == 0).ok_or(DataError::NotBase64)?;
            bits = bits << 6 | u32::from(sextet);
            sextets += 1;
            if sextets % 4 == 0 {
                block.extend_from_slice(&bits.to_be_bytes()[1..]);
            }
            if block.len() >= BLOCK_BYTES {
                out.write_all(&block)?;
                block.clear();
            }
        }
        // Padding may be missing; where it is there, it fills the last four.
        if padding > 0 && (padding > 2 || (sextets + padding) % 4 != 0) {
            return Err(DataError::NotBase64);
        }
        match sextets % 4 {
            0 => (),
            2 => block.push((bits >> 4) as u8),
            3 => block.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
            _ => return Err(DataError::NotBase64),
        }
        Ok(out.write_all(&block)?)
    }
}

/// What a character of base64 stands for.
fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// The bytes of a text in which `%XX` stands for one byte.
struct PercentDecoded<'a>(&'a [u8]);

impl Iterator for PercentDecoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let hex = |digit: &u8| (*digit as char).to_digit(16).map(|digit| digit as u8);
        let (byte, rest) = match self.0 {
            [b'%', high, low, rest @ ..] => match hex(high).zip(hex(low)) {
                Some((high, low)) => (high << 4 | low, rest),
                None => (b'%', &self.0[1..]),
            },
            [byte, rest @ ..] => (*byte, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(byte)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn bytes(url: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        DataUrl::parse(url)?.write(&mut out).ok().map(|()| out)
    }

    #[test]
    fn base64_is_read_by_the_forgiving_rule() {
        for (text, expected) in [
            ("YQ==", Some(&b"a"[..])),
            ("YQ", Some(b"a")),
            ("YR==", Some(b"a")), // bits beyond the last byte are dropped
            ("YWI=", Some(b"ab")),
            ("YWI", Some(b"ab")),
            ("YWJj", Some(b"abc")),
            (" Y W\tJ\nj\r\x0c ", Some(b"abc")),
            ("YQ%3D%3d", Some(b"a")),
            ("%59Q", Some(b"a")),
            ("", Some(b"")),
            ("YQ=", None),
            ("Y", None),
            ("YWJjY", None),
            ("YQ===", None),
            ("Y=Q=", None),
            ("YWJj=", None),
            ("YW-j", None),
            ("YW_j", None),
            ("YQ%", None),
            ("=", None),
        ] {
            assert_eq!(bytes(&format!("data:video/mp4;base64,{text}")).as_deref(), expected, "{text:?}");
        }
        let long: Vec<u8> = (0..200_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
        assert_eq!(bytes(&format!("data:;base64,{}", STANDARD.encode(&long))).unwrap(), long);
    }

    #[test]
    fn the_head_is_read_as_browsers_do() {
        for head in [
            "data:video/mp4;base64",
            "DATA:;base64",
            "data:video/mp4;codecs=\"x\"; BASE64",
            "data: a/b;Base64 ",
        ] {
            assert_eq!(bytes(&format!("{head},YQ")).as_deref(), Some(&b"a"[..]), "{head}");
        }
        for url in
            ["data:video/mp4,YQ", "data:base64,YQ", "data:video/mp4;base64", "file-1", "date:;base64,YQ", "é"]
        {
            assert_eq!(DataUrl::parse(url), None, "{url}");
        }
    }

    #[test]
    fn jpegs_with_commas_between_them_are_the_frames_of_a_video() {
        let url = DataUrl::parse("data:video/jpeg;base64,YQ==,Yg,Yw==").unwrap();
        let frames = url.frames().unwrap().map(|frame| {
            let mut out = Vec::new();
            frame.write(&mut out).unwrap();
            out
        });
        assert_eq!(frames.collect::<Vec<_>>(), [b"a", b"b", b"c"]);
        assert!(DataUrl::parse("data:video/mp4;base64,YQ").unwrap().frames().is_none());
    }
}
