//! The subtitles that Video-MME's prompts quote. Not a general SRT reader: it takes from a file exactly what the
//! harnesses take from it.

use super::{VideoFacts, cpython_set_order};
use crate::extract::python::trim;
use longsight_video::linspace_indices;
use std::collections::HashMap;

/// Seconds from the start of the video.
type Times = (f64, f64);

/// lmms-eval's subtitles near `frames` evenly spaced frames of the video: those shown at any of them, in the order of
/// a CPython set of their numbers, one a line. Cues without the font tag of Video-MME's files are left out.
///
/// # Errors
///
/// Times that cannot be read, in words.
pub fn subtitles_at_frames(srt: &str, facts: &VideoFacts, frames: usize) -> Result<String, String> {
    let cues = unique_cues(&universal_newlines(srt))?;
    let frame_at = |secs: f64| (secs * facts.fps) as i64;
    let spans: Vec<_> = cues.iter().map(|((start, end), _)| frame_at(*start)..frame_at(*end)).collect();
    let mut shown = Vec::new();
    for frame in linspace_indices(facts.total_frames, frames) {
        shown.extend((0..spans.len()).filter(|&cue| spans[cue].contains(&(frame as i64))));
    }
    let texts = cpython_set_order(shown).into_iter().filter_map(|cue| inside_font_tag(&cues[cue].1));
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

/// lmms-eval's subtitles for Gemini: the first tagged text of every line of the file.
pub fn subtitles_in_full(srt: &str) -> String {
    universal_newlines(srt).split('\n').filter_map(inside_font_tag).collect::<Vec<_>>().join("\n")
}

/// Video-MME's own selection: at the middle of each of `frames` equal segments the first cue shown, repeats kept, blank
/// ones left out, markup removed. Sections that are no cues are skipped.
pub(super) fn official_subtitles(srt: &str, facts: &VideoFacts, frames: usize) -> String {
    let srt = universal_newlines(srt);
    let cues: Vec<_> =
        sections(&srt).filter_map(|(line, text)| Some((times(line)?, without_tags(&text)))).collect();
    let to_ms = |secs: f64| (secs * 1000.0).round_ties_even();
    let texts = middle_frames(facts.total_frames, frames).into_iter().filter_map(|frame| {
        let now = (frame as f64 * (1000.0 / facts.fps)).round_ties_even();
        let shown = |((start, end), _): &&(Times, String)| to_ms(*start) < now && now < to_ms(*end);
        cues.iter().find(shown).map(|(_, text)| trim(text)).filter(|text| !text.is_empty())
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// The frames in the middle of equal segments, whose borders are rounded half to even.
fn middle_frames(total_frames: usize, frames: usize) -> Vec<usize> {
    let segment = total_frames.saturating_sub(1) as f64 / frames.max(1) as f64;
    let border = |k: usize| (segment * k as f64).round_ties_even() as usize;
    (0..frames).map(|k| (border(k) + border(k + 1)) / 2).collect()
}

/// Cues by their times: a repeated pair of times keeps its first place and gets the last text.
fn unique_cues(srt: &str) -> Result<Vec<(Times, String)>, String> {
    let mut cues: Vec<(Times, String)> = Vec::new();
    let mut places = HashMap::new();
    for (line, text) in sections(srt) {
        let (start, end) = times(line).ok_or_else(|| {
            format!("subtitle times `{line}` are not of the form `HH:MM:SS,mmm --> HH:MM:SS,mmm`")
        })?;
        let place = *places.entry((start.to_bits(), end.to_bits())).or_insert(cues.len());
        match cues.get_mut(place) {
            Some(cue) => cue.1 = text,
            None => cues.push(((start, end), text)),
        }
    }
    Ok(cues)
}

/// The second line of every section of at least three, and the others from the third on, joined by spaces.
fn sections(srt: &str) -> impl Iterator<Item = (&str, String)> {
    srt.split("\n\n").filter(|section| !trim(section).is_empty()).filter_map(|section| {
        let mut lines = section.split('\n').skip(1);
        let when = lines.next()?;
        let text: Vec<&str> = lines.collect();
        (!text.is_empty()).then(|| (when, text.join(" ")))
    })
}

fn times(line: &str) -> Option<Times> {
    let mut both = line.split(" --> ").map(secs);
    Some((both.next()??, both.next()??))
}

/// `HH:MM:SS,mmm`.
fn secs(time: &str) -> Option<f64> {
    let whole = |digits: &str| trim(digits).parse::<i64>().ok().map(|number| number as f64);
    let (clock, millis) = time.split_once(',')?;
    let mut clock = clock.split(':').map(whole);
    let (hours, minutes, secs) = (clock.next()??, clock.next()??, clock.next()??);
    clock.next().is_none().then_some(())?;
    Some(hours * 3600.0 + minutes * 60.0 + secs + whole(millis)? / 1000.0)
}

/// The first text in the tag that Video-MME's files have around every line; lmms-eval's pattern takes any character
/// for the size's dot.
fn inside_font_tag(text: &str) -> Option<&str> {
    text.match_indices("<font color=\"white\" size=\"").find_map(|(at, opening)| {
        let mut rest = text[at + opening.len()..].chars();
        rest.next()?;
        rest.as_str().strip_prefix("72c\">")?.split_once("</font>").map(|(inside, _)| inside)
    })
}

/// Text without `<b>`, `</font>` and the like.
fn without_tags(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        kept.push_str(before);
        let is_name = |c: char| c.is_ascii_alphabetic();
        rest = match tag.split_once('>') {
            Some((name, after)) if name.trim_start_matches([' ', '/']).starts_with(is_name) => after,
            _ => {
                kept.push('<');
                tag
            }
        };
    }
    kept + rest
}

/// Line ends as Python's text files have them.
fn universal_newlines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
