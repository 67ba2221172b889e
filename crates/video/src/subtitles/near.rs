//! The cues near the sampled frames, and how they stand in a prompt.

use super::Cue;
use crate::time::MediaTime;

/// A cue farther than this from every sampled frame is not near one.
const MAX_MARGIN: MediaTime = MediaTime::from_nanos(2_000_000_000);
/// The words that Video-MME's official prompt puts before the subtitles.
const PROMPT_HEADER: &str = "This video's subtitles are listed below:";

/// The cues that belong to the sampled frames: those on screen at a frame's time, or within half the median gap
/// between frames of it, but never farther than 2 s. In time order; the same words at the same times only once.
///
/// Frames close together thus take only what is said around them, and frames a minute apart do not pull in the whole
/// minute between. With a single frame (or only repeats of one) the distance is 2 s.
pub fn cues_near_frames(cues: &[Cue], frame_times: &[MediaTime]) -> Vec<Cue> {
    let mut times = frame_times.to_vec();
    times.sort_unstable();
    times.dedup();
    let margin = margin(&times);
    let is_near = |cue: &&Cue| {
        let next = times.partition_point(|&time| time < cue.start.saturating_sub(margin));
        times.get(next).is_some_and(|&time| time <= cue.end.saturating_add(margin))
    };
    let mut near: Vec<Cue> = cues.iter().filter(is_near).cloned().collect();
    near.sort_by(|a, b| (a.start, a.end, &a.text).cmp(&(b.start, b.end, &b.text)));
    near.dedup();
    near
}

/// Half the median gap between rising times, at most [`MAX_MARGIN`].
fn margin(times: &[MediaTime]) -> MediaTime {
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).nanos()).collect();
    gaps.sort_unstable();
    match gaps.get(gaps.len() / 2) {
        Some(median) => MediaTime::from_nanos(median / 2).min(MAX_MARGIN),
        None => MAX_MARGIN,
    }
}

/// The text to put before the question: a header line, then one line a cue, each line ended. Empty without cues.
pub fn subtitle_prompt(cues: &[Cue]) -> String {
    if cues.is_empty() {
        return String::new();
    }
    let lines = cues.iter().map(|cue| cue.text.as_str());
    std::iter::once(PROMPT_HEADER).chain(lines).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start: f64, end: f64, text: &str) -> Cue {
        Cue { start: MediaTime::from_secs(start), end: MediaTime::from_secs(end), text: text.to_owned() }
    }

    fn near(cues: &[Cue], times: &[f64]) -> Vec<String> {
        let times: Vec<MediaTime> = times.iter().map(|&secs| MediaTime::from_secs(secs)).collect();
        cues_near_frames(cues, &times).into_iter().map(|cue| cue.text).collect()
    }

    #[test]
    fn cues_on_screen_or_within_half_a_gap_are_near() {
        let cues = [
            cue(0.0, 1.0, "at"),
            cue(2.4, 2.6, "between"),
            cue(4.2, 4.4, "just before"),
            cue(6.0, 9.0, "later"),
        ];
        // Gaps of 1 s: half is 0.5 s.
        assert_eq!(near(&cues, &[0.0, 1.0, 2.0]), ["at", "between"]);
        assert_eq!(near(&cues, &[3.1, 4.1, 5.1]), ["between", "just before"]);
        assert_eq!(near(&cues, &[]), [""; 0]);
    }

    #[test]
    fn far_apart_frames_reach_two_seconds_at_most() {
        let cues = [cue(10.0, 11.0, "a"), cue(13.5, 14.0, "b"), cue(97.9, 97.95, "c"), cue(98.1, 98.2, "d")];
        assert_eq!(near(&cues, &[0.0, 100.0, 200.0]), ["d"]);
        assert_eq!(near(&cues, &[12.0]), ["a", "b"]);
        assert_eq!(near(&cues, &[12.0, 12.0]), ["a", "b"]);
    }

    #[test]
    fn near_cues_are_in_time_order_without_duplicates() {
        let cues = [cue(2.0, 9.0, "long"), cue(1.0, 2.0, "x"), cue(2.0, 9.0, "long"), cue(2.0, 3.0, "long")];
        assert_eq!(near(&cues, &[3.0, 2.0, 1.0]), ["x", "long", "long"]);
    }

    #[test]
    fn the_prompt_has_one_line_a_cue_and_nothing_without_cues() {
        assert_eq!(subtitle_prompt(&[]), "");
        let prompt = subtitle_prompt(&[cue(0.0, 1.0, "One."), cue(1.0, 2.0, "Two.")]);
        assert_eq!(prompt, "This video's subtitles are listed below:\nOne.\nTwo.\n");
    }
}
