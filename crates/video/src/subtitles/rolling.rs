//! Captions that roll up or grow: live and automatic ones show a line when it is spoken and again when the next one comes, so
//! that nearly every line stands in the file two or three times.

use super::Cue;
use crate::time::MediaTime;

/// Cues farther apart are not of one roll.
const MAX_GAP: MediaTime = MediaTime::from_nanos(500_000_000);
/// Lines that a screen of captions holds.
const MAX_LINES: usize = 8;

/// A cue as it stands in the file: lines without tags, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShownCue {
    pub(super) start: MediaTime,
    pub(super) end: MediaTime,
    pub(super) lines: Vec<String>,
}

/// What a cue shows of the one before.
enum Repeat {
    /// Its first lines are the last ones of the other.
    Lines(usize),
    /// Its last line begins with the other's last line, which ends at this byte; all before are equal.
    Grown(usize),
}

/// Joins cues that show lines of the cue before: each line once, from when it first appeared. By start, then end.
///
/// `certain` where the format itself says so. Otherwise a file rolls where a third of its cues do: in ordinary dialogue two
/// people may say the same in turn. Returns also how many cues were joined with the one before.
pub(super) fn join_rolling(mut shown: Vec<ShownCue>, certain: bool) -> (Vec<Cue>, usize) {
    shown.sort_by_key(|cue| (cue.start, cue.end));
    let repeats = shown.windows(2).filter(|pair| repeat(&pair[0], &pair[1]).is_some()).count();
    let rolls = certain || (repeats >= 2 && 3 * repeats >= shown.len() - 1);
    let mut cues: Vec<Cue> = Vec::with_capacity(shown.len());
    let mut joined = 0;
    for (i, cue) in shown.iter().enumerate() {
        let before = i.checked_sub(1).map(|before| &shown[before]).filter(|_| rolls);
        let new_lines = match (before.and_then(|before| repeat(before, cue)), cues.last_mut()) {
            (Some(Repeat::Grown(at)), Some(last)) => {
                last.text.push_str(cue.lines.last().map_or("", |line| &line[at..]));
                last.end = last.end.max(cue.end);
                joined += 1;
                continue;
            }
            (Some(Repeat::Lines(count)), Some(last)) if count == cue.lines.len() => {
                last.end = last.end.max(cue.end);
                joined += 1;
                continue;
            }
            (Some(Repeat::Lines(count)), Some(_)) => &cue.lines[count..],
            _ => &cue.lines[..],
        };
        cues.push(Cue { start: cue.start, end: cue.end, text: new_lines.join(" ") });
    }
    (cues, joined)
}

fn repeat(before: &ShownCue, cue: &ShownCue) -> Option<Repeat> {
    if cue.start > before.end.saturating_add(MAX_GAP) {
        return None;
    }
    let (old, new) = (&before.lines, &cue.lines);
    if old == new {
        return Some(Repeat::Lines(new.len()));
    }
    let most = old.len().min(new.len()).min(MAX_LINES);
    if let Some(count) = (1..=most).rev().find(|&count| old[old.len() - count..] == new[..count]) {
        return Some(Repeat::Lines(count));
    }
    let ((old_last, old_rest), (new_last, new_rest)) = (old.split_last()?, new.split_last()?);
    let grown = new_last.strip_prefix(old_last.as_str()).is_some_and(|rest| rest.starts_with(' '));
    (grown && old_rest == new_rest).then_some(Repeat::Grown(old_last.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start: f64, end: f64, lines: &[&str]) -> ShownCue {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        ShownCue { start: MediaTime::from_secs(start), end: MediaTime::from_secs(end), lines }
    }

    fn joined(shown: &[ShownCue], certain: bool) -> Vec<(f64, f64, String)> {
        let (cues, _) = join_rolling(shown.to_vec(), certain);
        cues.into_iter().map(|cue| (cue.start.secs(), cue.end.secs(), cue.text)).collect()
    }

    #[test]
    fn roll_up_captions_show_each_line_once_from_when_it_appeared() {
        let shown = [
            cue(0.0, 2.0, &["a b"]),
            cue(2.0, 4.0, &["a b", "c d"]),
            cue(4.0, 6.0, &["a b", "c d", "e f"]),
            cue(6.0, 8.0, &["c d", "e f", "g h"]),
            cue(8.0, 9.0, &["c d", "e f", "g h"]),
        ];
        let expected = [(0.0, 2.0, "a b"), (2.0, 4.0, "c d"), (4.0, 6.0, "e f"), (6.0, 9.0, "g h")];
        assert_eq!(joined(&shown, false), expected.map(|(start, end, text)| (start, end, text.to_owned())));
        assert_eq!(join_rolling(shown.to_vec(), false).1, 1);
    }

    #[test]
    fn captions_that_grow_word_by_word_become_their_last_form() {
        let shown = [
            cue(0.0, 0.5, &["so"]),
            cue(0.5, 1.0, &["so we"]),
            cue(1.0, 2.0, &["so we go"]),
            cue(2.0, 3.0, &["sober"]),
        ];
        let expected = [(0.0, 2.0, "so we go"), (2.0, 3.0, "sober")];
        assert_eq!(joined(&shown, false), expected.map(|(start, end, text)| (start, end, text.to_owned())));
    }

    #[test]
    fn ordinary_dialogue_keeps_what_is_said_twice() {
        let mut shown = vec![cue(0.0, 1.0, &["No!"]), cue(1.0, 2.0, &["No!"])];
        shown.extend((2..9).map(|i| cue(f64::from(i), f64::from(i) + 1.0, &[&format!("line {i}")])));
        assert_eq!(joined(&shown, false).len(), 9);
        assert_eq!(joined(&shown, true).len(), 8);
        let far = [cue(0.0, 1.0, &["No!"]), cue(2.0, 3.0, &["No!"]), cue(4.0, 5.0, &["No!"])];
        assert_eq!(joined(&far, true).len(), 3);
        assert_eq!(joined(&[], true), []);
    }
}
