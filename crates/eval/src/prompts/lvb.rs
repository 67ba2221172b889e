//! LongVideoBench's prompts: the question alone, or subtitles and frames in the order of time before it.

use super::{Part, Prompt, PromptSettings, VideoFacts};
use crate::{Sample, Task};
use serde_json::Value;

pub(super) fn build(
    settings: &PromptSettings,
    sample: &Sample,
    facts: &VideoFacts,
    subtitles: Option<&str>,
) -> Result<Prompt, String> {
    let question = question(sample);
    if settings.task != Task::LongVideoBenchSubs {
        return Ok(question.into());
    }
    let cues = match subtitles {
        Some(json) => read_cues(json, facts.duration_secs, sample.subtitle_offset_secs)?,
        None => Vec::new(),
    };
    let mut items = interleave(&lvb_frame_times_secs(facts.duration_secs, settings.frames), &cues);
    if items.is_empty() {
        items.push(Part::Text(String::new()));
    }
    items.push(Part::Text(question));
    let parts = join_lines(items);
    let shown = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Frame => "<image>".to_owned(),
    };
    let text = parts.iter().map(shown).collect();
    Ok(Prompt { text, interleaved: Some(parts), ..Prompt::default() })
}

/// Frames that lmms-eval decodes for the interleaved task: evenly spaced by a whole number of frames, at most one for
/// each whole second.
pub fn lvb_frame_indices(duration_secs: f64, fps: f64, max_frames: usize) -> Vec<usize> {
    let frames = max_frames.min(duration_secs as usize);
    let step = ((duration_secs * fps) as usize).checked_div(frames).unwrap_or(0);
    (0..frames).map(|i| i.saturating_mul(step)).collect()
}

/// The times at which the same task places the frames among the subtitles. Not quite the times of those decoded.
pub fn lvb_frame_times_secs(duration_secs: f64, max_frames: usize) -> Vec<f64> {
    if duration_secs > max_frames as f64 {
        (0..max_frames).map(|i| duration_secs / max_frames as f64 * i as f64).collect()
    } else {
        (0..duration_secs as usize).map(|i| i as f64).collect()
    }
}

/// The question, its options lettered consecutively without the absent ones, and what to do.
fn question(sample: &Sample) -> String {
    let present = sample.options.iter().filter(|option| *option != "N/A");
    let options: Vec<String> =
        ('A'..='Z').zip(present).map(|(letter, option)| format!("{letter}. {option}")).collect();
    format!(
        "{}\n{}\nAnswer with the option's letter from the given choices directly.\n",
        sample.question,
        options.join("\n")
    )
}

/// A subtitle, in seconds of the video.
struct Cue {
    start: f64,
    end: f64,
    text: String,
}

/// Frames up to the middle of each subtitle, then the subtitle, if any frame falls inside it (or within half a second
/// of its middle, if it is short).
fn interleave(times_secs: &[f64], cues: &[Cue]) -> Vec<Part> {
    let mut items = Vec::new();
    let mut pending = times_secs.iter().peekable();
    for cue in cues {
        let middle = (cue.start + cue.end) / 2.0;
        while pending.next_if(|time| **time <= middle).is_some() {
            items.push(Part::Frame);
        }
        let is_short = cue.end - cue.start < 1.0;
        let (start, end) = if is_short { (middle - 0.5, middle + 0.5) } else { (cue.start, cue.end) };
        if times_secs.iter().any(|time| start < *time && *time < end) {
            items.push(Part::Text(cue.text.clone()));
        }
    }
    items.extend(pending.map(|_| Part::Frame));
    items
}

/// The items with a line feed between any two; neighbouring texts become one.
fn join_lines(items: Vec<Part>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            text.push('\n');
        }
        match item {
            Part::Text(more) => text.push_str(&more),
            Part::Frame => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Frame);
            }
        }
    }
    parts.push(Part::Text(text));
    parts
}

fn read_cues(json: &str, duration_secs: f64, offset_secs: f64) -> Result<Vec<Cue>, String> {
    let rows: Vec<Value> =
        serde_json::from_str(json).map_err(|e| format!("subtitles are not a JSON list: {e}"))?;
    let read = |(row, cue): (usize, &Value)| {
        read_cue(cue, duration_secs, offset_secs).ok_or_else(|| {
            format!("subtitle {row} has neither `timestamp` and `text` nor `start`, `end` and `line`")
        })
    };
    rows.iter().enumerate().map(read).collect()
}

/// One of the two formats. In the first, an end that is no JSON float (null, or an integer) becomes the duration: as
/// the original does.
fn read_cue(cue: &Value, duration_secs: f64, offset_secs: f64) -> Option<Cue> {
    let (start, end, text) = match cue.get("timestamp") {
        Some(times) => {
            let [start, end] = times.as_array()?.as_slice() else { return None };
            let end = if end.is_f64() { end.as_f64()? } else { duration_secs };
            (start.as_f64()?, end, cue.get("text")?)
        }
        None => (clock_secs(cue.get("start")?)?, clock_secs(cue.get("end")?)?, cue.get("line")?),
    };
    Some(Cue { start: start - offset_secs, end: end - offset_secs, text: text.as_str()?.to_owned() })
}

/// `H:M:S.sss`.
fn clock_secs(time: &Value) -> Option<f64> {
    let mut fields = time.as_str()?.split(':').map(str::trim);
    let mut whole = || fields.next()?.parse::<i64>().ok().map(|number| number as f64);
    let (hours, minutes) = (whole()?, whole()?);
    let secs: f64 = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some(hours * 3600.0 + minutes * 60.0 + secs)
}
