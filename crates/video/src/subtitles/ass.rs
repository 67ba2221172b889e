//! Advanced SubStation Alpha (`.ass`, `.ssa`): the words of its events.
//!
//! Drawings (`\p1`) are shapes in numbers, `Comment:` events are not shown, override blocks are formatting: none of them is
//! said by anybody. Signs are events at a place of their own in the picture (`\pos`, `\move`): they translate what the frame
//! shows, and are left out, unless most events are placed so (converted captions).

use super::parse::{Found, parse_time};
use super::plain::single_spaced;
use super::rolling::ShownCue;

/// The columns of an event where no `Format:` line says others.
const COLUMNS: [&str; 10] =
    ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"];

/// Whether a text is ASS.
pub(super) fn is_ass(text: &str) -> bool {
    text.lines().take(1000).any(|line| line.trim().eq_ignore_ascii_case("[events]"))
}

/// The cues of a whole file.
pub(super) fn parse(text: &str) -> Found {
    let mut columns: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    let mut in_events = false;
    let mut unreadable_cues = 0;
    let mut events: Vec<(ShownCue, bool)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') && line.ends_with(']') {
            in_events = line.eq_ignore_ascii_case("[events]");
        }
        match line.split_once(':').filter(|_| in_events) {
            Some(("Format", names)) => {
                columns = names.split(',').map(|name| name.trim().to_lowercase()).collect()
            }
            Some(("Dialogue", fields)) => match event(fields, &columns) {
                Some(event) => events.push(event),
                None => unreadable_cues += 1,
            },
            _ => (),
        }
    }
    events.retain(|(cue, _)| !cue.lines.is_empty());
    let placed = events.iter().filter(|(_, placed)| *placed).count();
    let left_out_signs = if 2 * placed <= events.len() { placed } else { 0 };
    let kept = events.into_iter().filter(|(_, placed)| !placed || left_out_signs == 0);
    Found { cues: kept.map(|(cue, _)| cue).collect(), unreadable_cues, left_out_signs, rolls: true }
}

/// A `Dialogue:` line's cue, and whether it has a place in the picture; None where its times cannot be read.
fn event(fields: &str, columns: &[String]) -> Option<(ShownCue, bool)> {
    let fields: Vec<&str> = fields.splitn(columns.len(), ',').collect();
    let field =
        |name: &str| columns.iter().position(|column| column == name).and_then(|at| fields.get(at)).copied();
    let (start, end) = (parse_time(field("start")?)?, parse_time(field("end")?)?);
    let (lines, placed) = words(field("text")?);
    (start <= end).then_some((ShownCue { start, end, lines }, placed))
}

/// An event's lines without override blocks and drawings, and whether it has a place in the picture.
fn words(text: &str) -> (Vec<String>, bool) {
    let (mut kept, mut placed, mut drawing) = (String::new(), false, false);
    let mut rest = text;
    while !rest.is_empty() {
        // A brace that nothing closes is shown as it is.
        let block = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        match block {
            Some((overrides, after)) => {
                for tag in overrides.split('\\').map(str::trim) {
                    placed |= tag.starts_with("pos(") || tag.starts_with("move(");
                    drawing = scale_of_drawing(tag).map_or(drawing, |scale| scale > 0);
                }
                rest = after;
            }
            None => {
                let next =
                    rest.char_indices().skip(1).find(|&(_, c)| c == '{').map_or(rest.len(), |(at, _)| at);
                if !drawing {
                    kept.push_str(&rest[..next]);
                }
                rest = &rest[next..];
            }
        }
    }
    let kept = kept.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ");
    let lines = kept.split('\n').map(single_spaced).filter(|line| !line.is_empty());
    (lines.collect(), placed)
}

/// `p4` of a `\p4`; not `pos(...)`, `pbo10`.
fn scale_of_drawing(tag: &str) -> Option<u32> {
    tag.strip_prefix('p')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(events: &str) -> String {
        format!(
            "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n\
             [Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n{events}"
        )
    }

    fn lines(found: &Found) -> Vec<String> {
        found.cues.iter().map(|cue| cue.lines.join("|")).collect()
    }

    #[test]
    fn words_stay_and_overrides_drawings_and_comments_go() {
        let text = file(
            "Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not shown\n\
             Dialogue: 0,0:00:01.00,0:00:02.50,Default,Ann,0,0,0,,{\\i1}Hello{\\i0}, you,\\Nand\\hyou{\\b1} me {and\n\
             Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\an7\\p1}m 0 0 l 100 0 100 100{\\p0}\n\
             Dialogue: 0,0:00:04.00,0:00:05.00,Default,,0,0,0,,a{\\p2}m 1 2{\\p0\\pbo3}b\n\
             Dialogue: 0,oops,0:00:05.00,Default,,0,0,0,,lost\n[Fonts]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,x\n",
        );
        assert!(is_ass(&text));
        let found = parse(&text);
        assert_eq!(lines(&found), ["Hello, you,|and you me {and", "ab"]);
        assert_eq!((found.cues[0].start.secs(), found.cues[0].end.secs()), (1.0, 2.5));
        assert_eq!((found.unreadable_cues, found.left_out_signs), (1, 0));
    }

    #[test]
    fn signs_are_left_out_unless_most_events_are_placed() {
        let said = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,said\n";
        let sign = "Dialogue: 1,0:00:01.00,0:00:02.00,Sign,,0,0,0,,{\\pos(10,20)}EXIT\n";
        let moved = "Dialogue: 1,0:00:03.00,0:00:04.00,Sign,,0,0,0,,{\\fs20\\move(1,2,3,4)}SHOP\n";
        let found = parse(&file(&[said, said, sign, moved].concat()));
        assert_eq!((lines(&found), found.left_out_signs), (vec!["said".to_owned(); 2], 2));
        let found = parse(&file(&[said, sign, moved].concat()));
        assert_eq!((lines(&found).len(), found.left_out_signs), (3, 0));
    }

    #[test]
    fn the_format_line_decides_the_columns() {
        let text =
            "[Events]\nFormat: Marked, Start, End, Text\nDialogue: Marked=0,0:00:01.00,0:00:02.00,a, b\n";
        assert_eq!(lines(&parse(text)), ["a, b"]);
        let text = "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,no format line\n";
        assert_eq!(lines(&parse(text)), ["no format line"]);
    }
}
