//! How frames are reached: runs of the decoder, each starting at a keyframe.

use serde::Serialize;

use super::PlannedFrame;
use crate::probe::{Content, VideoInfo};

/// Starting ffmpeg, opening the file and seeking, in seconds.
const RUN_START_SECS: f64 = 0.15;
/// Decoding one frame: a constant and a share for every pixel, in seconds.
const FRAME_SECS: f64 = 0.0002;
const PIXEL_SECS: f64 = 1.5e-9;
/// One run's frames are named on ffmpeg's command line, where one argument may hold 128 KiB.
const MAX_FRAMES_A_RUN: usize = 2048;

/// How the frames are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecodeStrategy {
    /// One run of the decoder for each group of near frames, from the keyframe before it.
    Seek,
    /// One pass from the keyframe before the first frame to the last.
    Sequential,
    /// Image files are opened one by one.
    Images,
}

/// One run of the decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeRun {
    /// Index of the keyframe to seek to; `None`: from the start of the file.
    pub keyframe: Option<usize>,
    /// Indices of the frames to output, strictly rising.
    pub indices: Vec<usize>,
}

impl DecodeRun {
    fn last_index(&self) -> usize {
        self.indices.last().copied().unwrap_or(0)
    }

    /// How many frames are decoded.
    fn cost(&self) -> usize {
        self.last_index() + 1 - self.keyframe.unwrap_or(0)
    }
}

pub(super) struct Decoding {
    pub(super) strategy: DecodeStrategy,
    pub(super) reason: String,
    pub(super) runs: Vec<DecodeRun>,
    pub(super) frames_to_decode: usize,
}

pub(super) fn plan_runs(
    info: &VideoInfo,
    frames: &[PlannedFrame],
    forced: Option<DecodeStrategy>,
) -> Decoding {
    let mut indices: Vec<usize> = frames.iter().map(|frame| frame.index).collect();
    indices.dedup();
    if let Content::Images(_) = info.content {
        return open_images(indices);
    }
    let pass = vec![one_pass(info, &indices)];
    let groups = group_runs(info, &indices, forced == Some(DecodeStrategy::Seek));
    let total = |runs: &[DecodeRun]| runs.iter().map(DecodeRun::cost).sum::<usize>();
    let (pass_cost, group_cost) = (total(&pass), total(&groups));
    let seek = groups.len() > 1 && forced != Some(DecodeStrategy::Sequential);
    let (strategy, chosen, frames_to_decode) = if seek {
        (DecodeStrategy::Seek, groups, group_cost)
    } else {
        (DecodeStrategy::Sequential, pass, pass_cost)
    };
    let runs = split_long(info, chosen);
    let why = match (forced, strategy) {
        _ if !info.can_seek() => {
            "no presentation times to seek by: frames are counted from the start".to_owned()
        }
        (Some(_), _) => "asked for by name".to_owned(),
        (None, DecodeStrategy::Seek) => format!("one pass would decode {pass_cost}"),
        (None, _) => "more runs would cost more than they save".to_owned(),
    };
    let plural = if runs.len() == 1 { "" } else { "s" };
    let reason =
        format!("{frames_to_decode} frames are decoded in {} run{plural} of ffmpeg; {why}", runs.len());
    Decoding { strategy, reason, runs, frames_to_decode }
}

fn open_images(indices: Vec<usize>) -> Decoding {
    Decoding {
        strategy: DecodeStrategy::Images,
        reason: format!("{} image files are opened", indices.len()),
        frames_to_decode: indices.len(),
        runs: Vec::new(),
    }
}

fn one_pass(info: &VideoInfo, indices: &[usize]) -> DecodeRun {
    let first = indices.first().copied().unwrap_or(0);
    DecodeRun { keyframe: keyframe_to_seek(info, first), indices: indices.to_vec() }
}

/// Between two neighbours, decode on or start anew at the keyframe before the second: whichever is cheaper. The choices
/// do not influence each other, so that taking each at its best gives the cheapest plan.
fn group_runs(info: &VideoInfo, indices: &[usize], always_seek: bool) -> Vec<DecodeRun> {
    let frame_secs = FRAME_SECS + PIXEL_SECS * f64::from(info.width) * f64::from(info.height);
    let start_cost = if always_seek { 0 } else { (RUN_START_SECS / frame_secs) as usize };
    let mut runs: Vec<DecodeRun> = Vec::new();
    for &index in indices {
        let keyframe = keyframe_to_seek(info, index);
        let start_anew = start_cost + index - keyframe.unwrap_or(0);
        let last = runs.last_mut();
        match last.filter(|run| index - run.last_index() <= start_anew) {
            Some(run) => run.indices.push(index),
            None => runs.push(DecodeRun { keyframe, indices: vec![index] }),
        }
    }
    runs
}

/// The last keyframe at or before a frame; `None` if decoding has to begin at the start of the file.
fn keyframe_to_seek(info: &VideoInfo, index: usize) -> Option<usize> {
    if !info.can_seek() {
        return None;
    }
    let after = info.keyframes.partition_point(|&keyframe| keyframe <= index);
    after.checked_sub(1).map(|position| info.keyframes[position]).filter(|&keyframe| keyframe > 0)
}

/// Long runs in pieces, each of which starts as near to its first frame as it can.
fn split_long(info: &VideoInfo, runs: Vec<DecodeRun>) -> Vec<DecodeRun> {
    let pieces = |run: DecodeRun| -> Vec<DecodeRun> {
        let start =
            |first| if first == run.indices[0] { run.keyframe } else { keyframe_to_seek(info, first) };
        let chunks = run.indices.chunks(MAX_FRAMES_A_RUN);
        chunks.map(|indices| DecodeRun { keyframe: start(indices[0]), indices: indices.to_vec() }).collect()
    };
    runs.into_iter().flat_map(pieces).collect()
}
