use longsight_text::{TextEncoding, decode, plain_lines};

use super::rolling::{ShownCue, join_rolling};
use super::{SubtitleReading, Subtitles, ass, plain};
use crate::time::MediaTime;

/// What a format's reader takes out of a file.
#[derive(Default)]
pub(super) struct Found {
    pub(super) cues: Vec<ShownCue>,
    pub(super) unreadable_cues: usize,
    pub(super) left_out_signs: usize,
    /// Whether the file itself says that its captions roll.
    pub(super) rolls: bool,
}

/// Parses SubRip, WebVTT or ASS. Lenient, as players are: what is no cue is skipped (numbers, identifiers, NOTE, STYLE and
/// REGION blocks). Never fails; may find nothing.
///
/// The encoding is taken from the bytes where it is None. In SubRip a cue goes on to the next cue's number and times, so
/// blank lines may stand inside it; in WebVTT an empty line ends it.
pub fn parse_subtitles(bytes: &[u8], encoding: Option<TextEncoding>) -> Subtitles {
    let decoded = decode(bytes, encoding);
    let text = plain_lines(decoded.text);
    let is_vtt = text.trim_start().starts_with("WEBVTT");
    let (format, found) = if is_vtt {
        ("WebVTT", parse_webvtt(&text))
    } else if ass::is_ass(&text) {
        ("ASS", ass::parse(&text))
    } else {
        ("SubRip", parse_subrip(&text))
    };
    let (cues, joined_cues) = join_rolling(found.cues, found.rolls);
    let reading = SubtitleReading {
        format,
        encoding: decoded.encoding.name(),
        encoding_source: decoded.source.as_str(),
        damaged: decoded.replaced,
        unreadable_cues: found.unreadable_cues,
        joined_cues,
        left_out_signs: found.left_out_signs,
        ..SubtitleReading::default()
    };
    Subtitles { cues, reading }
}

/// The cue being read: its times, None where they cannot be read, and its lines.
#[derive(Default)]
struct OpenCue<'a> {
    times: Option<(MediaTime, MediaTime)>,
    lines: Vec<&'a str>,
}

impl<'a> OpenCue<'a> {
    /// From a line with `-->`; settings may follow the end time after a space.
    fn new(start: &str, end: &str) -> Self {
        let end = first_word(end);
        let times = parse_time(start).zip(parse_time(end)).filter(|(start, end)| start <= end);
        Self { times, lines: Vec::new() }
    }

    /// Ends the cue: it is found, or counted as unreadable.
    fn finish(self, found: &mut Found, plain: fn(&str) -> String) {
        let Some((start, end)) = self.times else {
            found.unreadable_cues += 1;
            return;
        };
        let lines: Vec<String> =
            self.lines.iter().map(|line| plain(line)).filter(|line| !line.is_empty()).collect();
        if !lines.is_empty() {
            found.cues.push(ShownCue { start, end, lines });
        }
    }

    /// Takes away what belongs to the next cue, which is the `number`th: the line directly before its times where that is a
    /// number, or its own number with blank lines between.
    fn drop_number(&mut self, number: usize) {
        if self.lines.pop_if(|line| is_number(line)).is_some() {
            return;
        }
        while self.lines.pop_if(|line| line.is_empty()).is_some() {}
        self.lines.pop_if(|line| line.parse() == Ok(number));
    }
}

fn parse_subrip(text: &str) -> Found {
    let mut found = Found::default();
    let mut open: Option<OpenCue> = None;
    let (mut cues, mut line_before) = (0, "");
    for line in text.split('\n').map(str::trim) {
        // An arrow may be said, too: it begins a cue next to a time, or where a cue's times stand.
        let begins = |(start, end): &(&str, &str)| {
            is_number(line_before)
                || [start, end].into_iter().any(|side| parse_time(first_word(side)).is_some())
        };
        if let Some((start, end)) = line.split_once("-->").filter(begins) {
            let next = OpenCue::new(start, end);
            cues += 1;
            if let Some(mut cue) = open.replace(next) {
                cue.drop_number(cues);
                cue.finish(&mut found, plain::of_subrip);
            }
        } else if let Some(cue) = &mut open {
            cue.lines.push(line);
        }
        line_before = line;
    }
    if let Some(cue) = open {
        cue.finish(&mut found, plain::of_subrip);
    }
    found
}

fn parse_webvtt(text: &str) -> Found {
    let mut found = Found { rolls: has_times_inside(text), ..Found::default() };
    let mut open: Option<OpenCue> = None;
    // Inside a block that is no cue, up to the next empty line.
    let mut skipping = false;
    for line in text.split('\n') {
        // A line of spaces is not empty: automatic captions begin with one.
        let ends = line.is_empty();
        let begins = line.split_once("-->").filter(|_| !skipping);
        if ends || begins.is_some() {
            skipping = false;
            if let Some(mut cue) = open.take() {
                if !ends {
                    cue.drop_number(usize::MAX);
                }
                cue.finish(&mut found, plain::of_webvtt);
            }
        }
        if let Some((start, end)) = begins {
            open = Some(OpenCue::new(start, end));
        } else if let Some(cue) = &mut open {
            cue.lines.push(line.trim());
        } else {
            skipping |= is_other_block(line);
        }
    }
    if let Some(cue) = open {
        cue.finish(&mut found, plain::of_webvtt);
    }
    found
}

fn is_number(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit())
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

fn is_other_block(line: &str) -> bool {
    matches!(first_word(line), "NOTE" | "STYLE" | "STYLE:" | "REGION" | "REGION:")
}

/// Whether words have times of their own (`<00:00:01.500>`), as automatic captions have.
fn has_times_inside(text: &str) -> bool {
    let mut tags = text.split('<').skip(1).filter_map(|tag| tag.split_once('>'));
    tags.any(|(tag, _)| parse_time(tag).is_some())
}

/// `00:01:02,500`, `01:02.500` or `1:2:3`: hours are optional, comma or point before the fraction.
pub(super) fn parse_time(text: &str) -> Option<MediaTime> {
    let text = text.trim();
    text.contains(':').then(|| text.replace(',', ".").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cues(text: &str) -> Vec<(f64, f64, String)> {
        let parsed = parse_subtitles(text.as_bytes(), None);
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
        assert_eq!(parse_subtitles(srt.as_bytes(), None).reading.format, "SubRip");
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
        assert_eq!(parse_subtitles(vtt.as_bytes(), None).reading.format, "WebVTT");
    }

    #[test]
    fn overlapping_cues_come_by_start() {
        let srt = "1\n00:00:05,0 --> 00:00:09,0\nlate\n\n2\n00:00:01,0 --> 00:00:08,0\nlong\n\n3\n00:00:01,0 --> 00:00:02,0\nshort\n";
        assert_eq!(texts(srt), ["short", "long", "late"]);
    }

    #[test]
    fn the_encoding_is_found_or_told_and_named() {
        let srt = |text: &str| format!("1\n00:00:01,000 --> 00:00:02,000\n{text}\n");
        let parsed = parse_subtitles(b"1\n00:00:01,000 --> 00:00:02,000\nIt\x92s caf\xe9\n", None);
        assert_eq!(parsed.cues[0].text, "It’s café");
        assert_eq!((parsed.reading.encoding, parsed.reading.encoding_source), ("windows-1252", "guessed"));
        let wide: Vec<u8> = srt("café").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let parsed = parse_subtitles(&wide, None);
        assert_eq!((parsed.cues[0].text.as_str(), parsed.reading.encoding), ("café", "UTF-16LE"));
        let parsed = parse_subtitles(srt("caf\u{e9}").as_bytes(), "windows-1252".parse().ok());
        assert_eq!((parsed.cues[0].text.as_str(), parsed.reading.encoding_source), ("cafÃ©", "told"));
        assert_eq!(parse_subtitles(srt("café").as_bytes(), None).reading.encoding, "UTF-8");
    }

    #[test]
    fn blank_lines_may_stand_inside_a_subrip_cue() {
        let srt = "1\n00:00:01,000 --> 00:00:02,000\nOne\n\nand more\n\n2\n00:00:03,000 --> 00:00:04,000\n\nTwo --> three\n\n\n\
                   3\n\n00:00:05,000 --> 00:00:06,000\n\nThree\n";
        assert_eq!(texts(srt), ["One and more", "Two --> three", "Three"]);
        let spaced = srt.replace('\n', "\r\r\n");
        assert_eq!(texts(&spaced), texts(srt));
    }

    #[test]
    fn a_line_of_spaces_does_not_end_a_webvtt_cue() {
        let vtt =
            "WEBVTT\n\n00:00.000 --> 00:01.000\n \nhello\n \n\nnot a cue\n\n00:02.000 --> 00:03.000\nyou\n";
        assert_eq!(texts(vtt), ["hello", "you"]);
    }

    #[test]
    fn automatic_captions_say_each_line_once() {
        let vtt = "WEBVTT\nKind: captions\n\n\
            00:00:00.000 --> 00:00:02.980 align:start position:0%\n \nwelcome<00:00:00.250><c> to</c><00:00:00.500><c> this</c>\n\n\
            00:00:02.980 --> 00:00:02.990 align:start position:0%\nwelcome to this\n \n\n\
            00:00:02.990 --> 00:00:05.980 align:start position:0%\nwelcome to this\nin<00:00:03.250><c> one</c>\n\n\
            00:00:05.980 --> 00:00:05.990 align:start position:0%\nin one\n \n\n";
        assert_eq!(cues(vtt), [(0.0, 2.99, "welcome to this".to_owned()), (2.99, 5.99, "in one".to_owned())]);
        assert_eq!(parse_subtitles(vtt.as_bytes(), None).reading.joined_cues, 2);
    }

    #[test]
    fn ass_is_told_by_its_events() {
        let ass =
            "[Script Info]\n\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\b1}Hi\\Nyou\n";
        assert_eq!(cues(ass), [(1.0, 2.0, "Hi you".to_owned())]);
        assert_eq!(parse_subtitles(ass.as_bytes(), None).reading.format, "ASS");
    }

    #[test]
    fn unreadable_cues_are_counted_and_do_not_leak_into_others() {
        let srt = "1\n00:00:01,000 --> oops\nlost\n\n2\n00:00:09,000 --> 00:00:02,000\nreversed\n\n3\n00:00:03,000 --> 00:00:03,000\nkept\n";
        let parsed = parse_subtitles(srt.as_bytes(), None);
        assert_eq!((parsed.cues.len(), parsed.reading.unreadable_cues), (1, 2));
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
            parse_subtitles(bytes, None);
        }
    }
}
