//! Bytes to text.
//!
//! What a file says of itself comes first (a byte order mark, being valid UTF-8, zero bytes as only UTF-16 has them), then a
//! guess by the frequencies of characters (`chardetng`, the detector that Firefox has). A guess is always told.

use std::fmt;
use std::str::FromStr;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// A text with fewer valid characters than this for each damaged one is not damaged UTF-8, but another encoding.
const VALID_FOR_EACH_DAMAGED: usize = 10;

/// A character encoding by its label in the WHATWG's Encoding Standard (`gbk`, `shift_jis`, `windows-1251`, `latin1`, ...).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(UTF_8);

    /// Its name, as the standard spells it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl FromStr for TextEncoding {
    type Err = String;

    fn from_str(label: &str) -> Result<Self, String> {
        Encoding::for_label_no_replacement(label.as_bytes()).map(Self).ok_or_else(|| {
            "unknown encoding: write for example utf-8, windows-1251, gbk, big5, shift_jis, euc-kr".into()
        })
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an encoding is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingSource {
    /// The caller said so.
    Told,
    /// A byte order mark.
    ByteOrderMark,
    /// The bytes are valid UTF-8, or have zero bytes where UTF-16 has them.
    Content,
    /// By the frequencies of characters: it may be wrong.
    Guessed,
}

impl EncodingSource {
    /// In one word: `told`, `mark`, `content`, `guessed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::ByteOrderMark => "mark",
            Self::Content => "content",
            Self::Guessed => "guessed",
        }
    }
}

/// A text that was decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Without a byte order mark.
    pub text: String,
    /// What it was read as.
    pub encoding: TextEncoding,
    /// How that is known.
    pub source: EncodingSource,
    /// Whether bytes that the encoding does not have became U+FFFD.
    pub replaced: bool,
}

/// Decodes a whole text. Never fails: bytes that make no sense become U+FFFD, and `replaced` says so.
///
/// A byte order mark wins over what the caller says, as in browsers.
pub fn decode(bytes: &[u8], told: Option<TextEncoding>) -> Decoded {
    let (encoding, source) = match (Encoding::for_bom(bytes), told) {
        (Some((encoding, _)), _) => (encoding, EncodingSource::ByteOrderMark),
        (None, Some(TextEncoding(encoding))) => (encoding, EncodingSource::Told),
        (None, None) => by_content(bytes),
    };
    let (text, replaced) = encoding.decode_with_bom_removal(bytes);
    Decoded { text: text.into_owned(), encoding: TextEncoding(encoding), source, replaced }
}

fn by_content(bytes: &[u8]) -> (&'static Encoding, EncodingSource) {
    if let Some(utf16) = utf16_without_mark(bytes) {
        return (utf16, EncodingSource::Content);
    }
    if is_utf8(bytes) {
        return (UTF_8, EncodingSource::Content);
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    (detector.guess(None, Utf8Detection::Deny), EncodingSource::Guessed)
}

/// UTF-16 of a text with digits and line feeds has a zero byte in every second place; no other text has zero bytes.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let zeros = |first: usize| bytes.iter().skip(first).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let enough = bytes.len() / 16;
    match even.max(odd) > enough && bytes.len().is_multiple_of(2) {
        true if odd > 4 * even => Some(UTF_16LE),
        true if even > 4 * odd => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether a text is UTF-8, be it with a few damaged characters: those are no reason to read all others as something else.
fn is_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut damaged) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        damaged += usize::from(!chunk.invalid().is_empty());
    }
    valid >= VALID_FOR_EACH_DAMAGED * damaged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8], label: &str) -> Decoded {
        decode(bytes, Some(label.parse().unwrap()))
    }

    #[test]
    fn a_mark_or_valid_utf8_says_the_encoding() {
        let decoded = decode("\u{feff}é".as_bytes(), None);
        assert_eq!((decoded.text.as_str(), decoded.source), ("é", EncodingSource::ByteOrderMark));
        let decoded = decode("é".as_bytes(), None);
        assert_eq!((decoded.encoding, decoded.source), (TextEncoding::UTF_8, EncodingSource::Content));
        assert_eq!(decode(b"", None).encoding, TextEncoding::UTF_8);
    }

    #[test]
    fn utf16_is_read_with_and_without_a_mark() {
        let text = "1\n00:00:01,000 --> 00:00:02,000\n世界 é\n";
        for mark in ["", "\u{feff}"] {
            let units: Vec<u16> = format!("{mark}{text}").encode_utf16().collect();
            let little: Vec<u8> = units.iter().copied().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = units.iter().copied().flat_map(u16::to_be_bytes).collect();
            for (bytes, name) in [(little, "UTF-16LE"), (big, "UTF-16BE")] {
                let decoded = decode(&bytes, None);
                assert_eq!((decoded.text.as_str(), decoded.encoding.name()), (text, name));
                assert!(!decoded.replaced);
            }
        }
    }

    #[test]
    fn the_usual_encodings_of_four_scripts_are_guessed_from_a_few_lines() {
        let texts = [
            ("windows-1252", "It’s 5 € – no more…\nCafé où l’été commence.\n"),
            ("windows-1251", "Привет, мир! Как дела? Это просто проверка.\n"),
            ("GBK", "你好，世界。今天天气很好，我们去公园吧。\n"),
            ("Shift_JIS", "こんにちは世界。今日はいい天気ですね。\n"),
            ("EUC-KR", "안녕하세요, 세계. 오늘은 날씨가 좋습니다.\n"),
            ("Big5", "你好，世界。今天天氣很好，我們去公園吧。\n"),
        ];
        for (name, text) in texts {
            let encoding = Encoding::for_label(name.as_bytes()).unwrap();
            let (bytes, _, unmappable) = encoding.encode(text);
            assert!(!unmappable, "{name}");
            let decoded = decode(&bytes, None);
            assert_eq!((decoded.text.as_str(), decoded.source), (text, EncodingSource::Guessed), "{name}");
            assert_eq!(told(&bytes, name).text, text);
        }
    }

    #[test]
    fn a_few_damaged_characters_do_not_make_utf8_something_else() {
        let mut bytes = "Größe, Übung, schön, für, später, Mädchen, Straße, Flöße.".as_bytes().to_vec();
        bytes.push(0xc3);
        let decoded = decode(&bytes, None);
        assert_eq!(decoded.encoding, TextEncoding::UTF_8);
        assert!(decoded.replaced && decoded.text.starts_with("Größe"));
    }

    #[test]
    fn what_the_caller_says_is_followed_and_labels_are_checked() {
        let decoded = told(b"caf\xe9", "latin1");
        assert_eq!((decoded.text.as_str(), decoded.source), ("café", EncodingSource::Told));
        assert!(told(b"caf\xe9", "utf-8").replaced);
        for bad in ["", "utf-9", "replacement", "iso-2022-kr"] {
            assert!(bad.parse::<TextEncoding>().is_err(), "{bad}");
        }
    }
}
