use super::{Cue, Subtitles};
use crate::time::MediaTime;

/// A tag is not longer than this.
const MAX_TAG_CHARS: usize = 512;

/// Parses SubRip or WebVTT. Lenient, as players are: any line with `-->` begins a cue, a blank line ends it, and what is
/// neither is skipped (numbers, identifiers, NOTE, STYLE and REGION blocks). Never fails; may find nothing.
pub fn parse_subtitles(bytes: &[u8]) -> Subtitles {
    let (text, encoding) = decode_text(bytes);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let is_vtt = text.trim_start().starts_with("WEBVTT");
    let mut parser = Parser { is_vtt, ..Parser::default() };
    text.split('\n').for_each(|line| parser.line(line.trim()));
    parser.finish_cue();
    let Parser { mut cues, unreadable_cues, .. } = parser;
    cues.sort_by_key(|cue| (cue.start, cue.end));
    let format = if is_vtt { "WebVTT" } else { "SubRip" };
    Subtitles { cues, format, encoding, unreadable_cues }
}

fn decode_text(bytes: &[u8]) -> (String, &'static str) {
    let utf16 = |bytes: &[u8], join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| join([pair[0], pair[1]])).collect();
        (String::from_utf16_lossy(&units), "UTF-16")
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => match std::str::from_utf8(rest) {
            Ok(text) => (text.to_owned(), "UTF-8"),
            Err(_) => (rest.iter().copied().map(char::from).collect(), "Latin-1"),
        },
    }
}

#[derive(Default)]
struct Parser<'a> {
    is_vtt: bool,
    /// The cue being read: its times and lines.
    current: Option<(MediaTime, MediaTime, Vec<&'a str>)>,
    /// Inside a block that is no cue, up to the next blank line.
    skipping: bool,
    cues: Vec<Cue>,
    unreadable_cues: usize,
}

impl<'a> Parser<'a> {
    fn line(&mut self, line: &'a str) {
        if line.is_empty() {
            self.finish_cue();
            self.skipping = false;
        } else if self.skipping {
        } else if let Some((start, end)) = line.split_once("-->") {
            self.begin_cue(start, end);
        } else if let Some((_, _, lines)) = &mut self.current {
            lines.push(line);
        } else if self.is_vtt && is_other_block(line) {
            self.skipping = true;
        }
    }

    fn begin_cue(&mut self, start: &str, end: &str) {
        if let Some((_, _, lines)) = &mut self.current {
            // Without a blank line between, the next cue's number is the last line of this one.
            lines.pop_if(|line| line.bytes().all(|byte| byte.is_ascii_digit()));
        }
        self.finish_cue();
        // Settings follow the end time after a space.
        let end = end.split_whitespace().next().unwrap_or_default();
        match (parse_time(start), parse_time(end)) {
            (Some(start), Some(end)) if start <= end => self.current = Some((start, end, Vec::new())),
            _ => {
                self.unreadable_cues += 1;
                self.skipping = true;
            }
        }
    }

    fn finish_cue(&mut self) {
        let Some((start, end, lines)) = self.current.take() else { return };
        let text = plain_text(&lines.join(" "), self.is_vtt);
        if !text.is_empty() {
            self.cues.push(Cue { start, end, text });
        }
    }
}

fn is_other_block(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    matches!(word, "NOTE" | "STYLE" | "STYLE:" | "REGION" | "REGION:")
}

/// `00:01:02,500`, `01:02.500` or `1:2:3`: hours are optional, comma or point before the fraction.
fn parse_time(text: &str) -> Option<MediaTime> {
    let text = text.trim();
    text.contains(':').then(|| text.replace(',', ".").parse().ok())?
}

/// Without tags and override codes, entities (WebVTT) as characters, runs of white space as one space.
fn plain_text(text: &str, is_vtt: bool) -> String {
    let text = strip_spans(text, '<', '>', |first| first.is_alphanumeric() || first == '/');
    let text = strip_spans(&text, '{', '}', |first| first == '\\');
    let text = if is_vtt { decode_entities(&text) } else { text.replace("\\h", " ") };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes `open ... close` where the character after `open` makes it a tag; `a < b` stays.
fn strip_spans(text: &str, open: char, close: char, begins_tag: fn(char) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find(open) {
        let (before, from_open) = rest.split_at(position);
        kept.push_str(before);
        let inner = &from_open[open.len_utf8()..];
        // A limit, so that a file full of unclosed tags is not searched to its end for each of them.
        let mut tag = inner.char_indices().take(MAX_TAG_CHARS);
        let end = if inner.starts_with(begins_tag) { tag.find(|&(_, c)| c == close) } else { None };
        match end {
            Some((end, _)) => rest = &inner[end + close.len_utf8()..],
            None => {
                kept.push(open);
                rest = inner;
            }
        }
    }
    kept + rest
}

fn decode_entities(text: &str) -> String {
    let named =
        [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'")];
    let directions = [("&lrm;", ""), ("&rlm;", "")];
    let decoded = named
        .iter()
        .chain(&directions)
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    decoded.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cues(text: &str) -> Vec<(f64, f64, String)> {
        let parsed = parse_subtitles(text.as_bytes());
        parsed.cues.into_iter().map(|cue| (cue.start.secs(), cue.end.secs(), cue.text)).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        cues(text).into_iter().map(|(_, _, text)| text).collect()
    }

    #[test]
    fn subrip_with_bom_crlf_tags_and_two_lines() {
        let srt = "\u{feff}1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Hello</i>\r\n<font color=\"white\" size=\".72c\">you</font>\r\n\r\n\
                   2\r\n01:00:00,001 --> 01:00:03,000 X1:1 Y1:2\r\n{\\an8}Up {here}\r\n";
        assert_eq!(
            cues(srt),
            [(1.0, 2.5, "Hello you".to_owned()), (3600.001, 3603.0, "Up {here}".to_owned())]
        );
        assert_eq!(parse_subtitles(srt.as_bytes()).format, "SubRip");
    }

    #[test]
    fn missing_blank_lines_do_not_leak_the_next_number() {
        let srt = "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:03,000 --> 00:00:04,000\n42\n\n3\n00:00:05,000 --> 00:00:06,000\nThree";
        assert_eq!(texts(srt), ["One", "42", "Three"]);
    }

    #[test]
    fn webvtt_with_settings_notes_styles_and_optional_hours() {
        let vtt = "WEBVTT - title\nKind: captions\n\nNOTE a note\nwith 00:00 text\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:x\n\n\
                   intro\n00:01.000 --> 00:02.000 align:start position:10%\n<v Roger>Tom &amp; <b.x>Jerry</b> &lt;3\n- a &lt;b&gt;\n\n\
                   01:00:00.000 --> 01:00:01.000\nWord<00:00:01.500><c> by word</c>\n";
        assert_eq!(texts(vtt), ["Tom & Jerry <3 - a <b>", "Word by word"]);
        assert_eq!(cues(vtt)[1].0, 3600.0);
        assert_eq!(parse_subtitles(vtt.as_bytes()).format, "WebVTT");
    }

    #[test]
    fn overlapping_cues_come_by_start() {
        let srt = "1\n00:00:05,0 --> 00:00:09,0\nlate\n\n2\n00:00:01,0 --> 00:00:08,0\nlong\n\n3\n00:00:01,0 --> 00:00:02,0\nshort\n";
        assert_eq!(texts(srt), ["short", "long", "late"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_latin1_and_it_is_said() {
        let parsed = parse_subtitles(b"1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n");
        assert_eq!((parsed.cues[0].text.as_str(), parsed.encoding), ("café", "Latin-1"));
        let wide: Vec<u8> = "\u{feff}1\n00:00:01,000 --> 00:00:02,000\ncafé\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let parsed = parse_subtitles(&wide);
        assert_eq!((parsed.cues[0].text.as_str(), parsed.encoding), ("café", "UTF-16"));
    }

    #[test]
    fn unreadable_cues_are_counted_and_do_not_leak_into_others() {
        let srt = "1\n00:00:01,000 --> oops\nlost\n\n2\n00:00:09,000 --> 00:00:02,000\nreversed\n\n3\n00:00:03,000 --> 00:00:03,000\nkept\n";
        let parsed = parse_subtitles(srt.as_bytes());
        assert_eq!((parsed.cues.len(), parsed.unreadable_cues), (1, 2));
        assert_eq!(parsed.cues[0].text, "kept");
    }

    #[test]
    fn less_than_signs_and_unclosed_tags_stay_and_empty_cues_go() {
        let srt = "1\n00:00:01,000 --> 00:00:02,000\na < b > c <3 <i\n\n2\n00:00:03,000 --> 00:00:04,000\n<i></i>\n";
        assert_eq!(texts(srt), ["a < b > c <3 <i"]);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        for bytes in [
            &b""[..],
            b"-->",
            b"\xff\xfe\x00",
            b"WEBVTT\n-->\n\n<{\\",
            b"\xef\xbb\xbf<\xef\xbb",
            b"1:1-->1:1\n<\xc3\xa9",
        ] {
            parse_subtitles(bytes);
        }
    }
}
