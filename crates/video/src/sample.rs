//! Which frames to take, and how to reach them. Pure: nothing is read or decoded here.
//!
//! A plan is a list of decoder runs; one run from the start is the sequential case. The cheaper list is chosen, and the receipt
//! says which and why.

use serde::{Serialize, Serializer};
use std::sync::Arc;

use crate::error::{Result, VideoError};
use crate::probe::{FrameCountSource, VideoInfo};
use crate::time::MediaTime;

mod runs;
#[cfg(test)]
mod tests;

pub use runs::{DecodeRun, DecodeStrategy};

/// Two times closer than this are the same instant: fractions of a second are rarely exact in a stream's clock.
const SAME_INSTANT: MediaTime = MediaTime::from_nanos(1_000);

/// More frames than any model takes (36 hours, one a second); keeps a mistyped number from filling the memory.
const MAX_FRAMES: usize = 1 << 17;

/// How many frames to take.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBudget {
    /// Exactly this many, evenly spaced by index ([`linspace_indices`]); repeated if the clip has fewer.
    Uniform {
        /// Number of frames.
        frames: usize,
    },
    /// The frame on screen every `1 / fps` seconds; where that would be more than `max_frames`, as many, evenly spread
    /// in time: by index ([`linspace_indices`]) where the frame rate is constant.
    ///
    /// A frame that stays on screen longer than a step is taken as often as it is met.
    Fps {
        /// Frames a second.
        fps: f64,
        /// Limit on the number of frames.
        max_frames: usize,
    },
    /// These frames, by their index in the whole video, as a benchmark prescribes them. They may not fall; what lies
    /// outside the clip is moved to its nearest end.
    Indices(Arc<[usize]>),
}

impl Default for FrameBudget {
    fn default() -> Self {
        Self::Fps { fps: 1.0, max_frames: 128 }
    }
}

/// What to take of a video.
#[derive(Clone, Debug, Default)]
pub struct SampleSettings {
    /// How many frames.
    pub budget: FrameBudget,
    /// Only what is on screen at this time or later: the first frame may have begun before.
    pub from: Option<MediaTime>,
    /// Only frames at or before this time.
    pub to: Option<MediaTime>,
    /// Fixes the way to reach the frames; the cheaper one by default.
    pub strategy: Option<DecodeStrategy>,
}

/// One frame to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedFrame {
    /// Position among the frames taken, from 0.
    pub ordinal: usize,
    /// Rank of its presentation time in the whole video, from 0.
    pub index: usize,
    /// Its presentation time in the whole video's clock.
    pub time: MediaTime,
}

/// Which frames are taken and how they are reached.
#[derive(Clone, Debug, Serialize)]
pub struct SamplePlan {
    /// The frames, by ordinal; indices never fall.
    pub frames: Vec<PlannedFrame>,
    /// First and last index of the frames that the clip holds.
    pub clip: (usize, usize),
    /// Frames in the whole video.
    pub total_frames: usize,
    /// How `total_frames` is known.
    pub frame_count_source: FrameCountSource,
    /// How the frames are reached.
    pub strategy: DecodeStrategy,
    /// Why, with the estimate behind it.
    pub strategy_reason: String,
    /// Runs of the decoder.
    #[serde(rename = "decode_runs", serialize_with = "serialize_len")]
    pub runs: Vec<DecodeRun>,
    /// Estimate of how many frames are decoded to get at those that are taken.
    pub frames_to_decode: usize,
}

fn serialize_len<S: Serializer>(runs: &[DecodeRun], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_u64(runs.len() as u64)
}

/// Decides which frames to take.
///
/// # Errors
/// 0 frames asked for, a frame rate that is not positive, a clip that is reversed, past the end or without frames.
pub fn sample(info: &VideoInfo, settings: &SampleSettings) -> Result<SamplePlan> {
    let clip = clip_range(info, settings)?;
    let indices = match &settings.budget {
        FrameBudget::Uniform { frames } => uniform(clip, *frames)?,
        FrameBudget::Fps { fps, max_frames } => at_rate(info, settings, clip, *fps, *max_frames)?,
        FrameBudget::Indices(indices) => given(clip, indices)?,
    };
    let frames: Vec<PlannedFrame> = indices
        .into_iter()
        .enumerate()
        .map(|(ordinal, index)| PlannedFrame { ordinal, index, time: info.frame_times[index] })
        .collect();
    let decoding = runs::plan_runs(info, &frames, settings.strategy);
    Ok(SamplePlan {
        frames,
        clip,
        total_frames: info.total_frames,
        frame_count_source: info.frame_count_source,
        strategy: decoding.strategy,
        strategy_reason: decoding.reason,
        runs: decoding.runs,
        frames_to_decode: decoding.frames_to_decode,
    })
}

/// `numpy.linspace(0, total_frames - 1, frames, dtype=int)`: floor(i * step) with step = (N-1)/(n-1) in f64, the last
/// one exactly N-1; `[0]` for one frame. Not the same as exact integer division.
///
/// Empty if either number is 0.
pub fn linspace_indices(total_frames: usize, frames: usize) -> Vec<usize> {
    if total_frames == 0 {
        return Vec::new();
    }
    let last = total_frames - 1;
    let step = last as f64 / frames.saturating_sub(1).max(1) as f64;
    (0..frames)
        .map(|i| if i > 0 && i == frames - 1 { last } else { ((i as f64 * step) as usize).min(last) })
        .collect()
}

fn check_count(frames: usize) -> Result<()> {
    match frames {
        0 => Err(VideoError::NoFramesAsked),
        1..=MAX_FRAMES => Ok(()),
        _ => Err(VideoError::TooManyFramesAsked { frames, limit: MAX_FRAMES }),
    }
}

fn uniform((first, last): (usize, usize), frames: usize) -> Result<Vec<usize>> {
    check_count(frames)?;
    Ok(linspace_indices(last - first + 1, frames).into_iter().map(|index| first + index).collect())
}

fn given((first, last): (usize, usize), indices: &[usize]) -> Result<Vec<usize>> {
    check_count(indices.len())?;
    if !indices.is_sorted() {
        return Err(VideoError::IndicesFall);
    }
    Ok(indices.iter().map(|index| *index.clamp(&first, &last)).collect())
}

/// The frames on screen at from + k/fps, up to the end of the clip.
fn at_rate(
    info: &VideoInfo,
    settings: &SampleSettings,
    (first, last): (usize, usize),
    fps: f64,
    max_frames: usize,
) -> Result<Vec<usize>> {
    if !(fps.is_finite() && fps > 0.0) {
        return Err(VideoError::BadFps { fps });
    }
    check_count(max_frames)?;
    let start = settings.from.map_or(info.frame_times[first], |from| from.max(MediaTime::ZERO));
    // The video ends where its last frame leaves the screen; the end of a clip still belongs to it.
    let shown = |time: MediaTime| match settings.to {
        Some(to) if to < info.end() => time <= to.saturating_add(SAME_INSTANT),
        _ => time.saturating_add(SAME_INSTANT) < info.end(),
    };
    let clip_times = &info.frame_times[first..=last];
    let mut indices = Vec::new();
    for k in 0..=max_frames {
        let time = start.saturating_add(MediaTime::from_secs(k as f64 / fps));
        if k > 0 && !shown(time) {
            return Ok(indices);
        }
        indices.push(first + on_screen(clip_times, time));
    }
    if is_constant_rate(clip_times) {
        return uniform((first, last), max_frames);
    }
    let end = info.frame_times[last];
    Ok((0..max_frames).map(|k| first + on_screen(clip_times, between(start, end, k, max_frames))).collect())
}

/// Position of the frame that is shown at `time`: the last one that has begun, else the first.
fn on_screen(times: &[MediaTime], time: MediaTime) -> usize {
    let instant = time.saturating_add(SAME_INSTANT);
    times.partition_point(|&frame| frame <= instant).saturating_sub(1)
}

/// The `k`-th of `count` times evenly spread over [start, end].
fn between(start: MediaTime, end: MediaTime, k: usize, count: usize) -> MediaTime {
    let span = i128::from(end.saturating_sub(start).nanos()).max(0);
    let passed = span * k as i128 / (count as i128 - 1).max(1);
    start.saturating_add(MediaTime::from_nanos(i64::try_from(passed).unwrap_or(i64::MAX)))
}

/// Whether every frame is within one mean step of its place on an even grid: then even by index is even in time.
fn is_constant_rate(times: &[MediaTime]) -> bool {
    let [first, .., last] = times else { return true };
    let (start, steps) = (i128::from(first.nanos()), times.len() as i128 - 1);
    let span = i128::from(last.nanos()) - start;
    times.iter().enumerate().all(|(k, time)| {
        let off_by = (i128::from(time.nanos()) - start) * steps - span * k as i128;
        off_by.abs() <= span
    })
}

/// First and last index of the frames on screen within [from, to].
fn clip_range(info: &VideoInfo, settings: &SampleSettings) -> Result<(usize, usize)> {
    let times = &info.frame_times;
    let (from, to) = (settings.from.unwrap_or(MediaTime::from_nanos(i64::MIN)), settings.to);
    if let Some(to) = to.filter(|&to| from >= to) {
        return Err(VideoError::ClipReversed { from, to });
    }
    // Some videos end in a frame without a duration: it can be asked for at its own time.
    let last_time = times.last().copied().unwrap_or_default();
    if from.saturating_add(SAME_INSTANT) >= info.end() && from > last_time.saturating_add(SAME_INSTANT) {
        return Err(VideoError::ClipPastEnd { from, end: info.end() });
    }
    let first = on_screen(times, from);
    let end =
        to.map_or(times.len(), |to| times.partition_point(|&time| time <= to.saturating_add(SAME_INSTANT)));
    if first >= end {
        return Err(VideoError::ClipEmpty { from: from.max(MediaTime::ZERO), to: to.unwrap_or(info.end()) });
    }
    Ok((first, end - 1))
}
