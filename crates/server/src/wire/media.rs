//! Frames in vLLM's words: `media_io_kwargs` and `mm_processor_kwargs`.

use super::Options;
use crate::error::{ApiError, ApiResult};
use longsight_engine::RunSettings;
use longsight_video::FrameBudget;
use serde::Deserialize;

/// `media_io_kwargs`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MediaIo {
    pub(super) video: VideoWords,
}

/// What is said of a video, or of frames that were sampled already.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VideoWords {
    /// At most so many frames, evenly; -1: no such limit.
    num_frames: Option<i64>,
    /// Frames a second: to take, or of the video that sampled frames are from; -1: no such limit.
    fps: Option<f64>,
    /// Numbers of sampled frames in their video.
    frames_indices: Option<Vec<u64>>,
    /// Whether frames are chosen here.
    do_sample_frames: Option<bool>,
    /// Of the whole video; nothing is shown of what was not sampled.
    total_num_frames: Option<u64>,
    /// As above, in seconds.
    duration: Option<f64>,
}

/// Which frames are taken of those that a request brings itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sampled {
    /// Frames a second.
    pub(crate) fps: Option<f64>,
    /// At most so many, evenly.
    pub(crate) max_frames: Option<usize>,
}

impl Sampled {
    /// Sets how images are read; `chosen` says whether the request chooses frames elsewhere too.
    ///
    /// # Errors
    /// Frames that are chosen twice.
    pub(super) fn apply(self, run: &mut RunSettings, chosen: bool) -> ApiResult<()> {
        if let Some(fps) = self.fps {
            run.video.probe.image_fps = fps;
        }
        match self.max_frames {
            Some(_) if chosen => Err(chosen_twice()),
            Some(max_frames) => {
                let fps = run.video.probe.image_fps;
                run.video.sample.budget = FrameBudget::Fps { fps, max_frames };
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Frames that `longsight` and vLLM's fields both choose.
pub(super) fn chosen_twice() -> ApiError {
    let message = "frames are chosen twice: by `longsight` and by vLLM's fields; keep one";
    ApiError::bad(message).param("longsight.frames")
}

/// An index may be off by so much of a step where frames count as evenly spaced: samplers round.
const SPACING_TOLERANCE: f64 = 1.0;

impl VideoWords {
    /// With what another field says.
    pub(super) fn and(self, other: Self) -> ApiResult<Self> {
        let num_frames = agreed(self.num_frames, other.num_frames, "num_frames")?;
        let fps = agreed(self.fps, other.fps, "fps")?;
        let frames_indices = agreed(self.frames_indices, other.frames_indices, "frames_indices")?;
        let do_sample_frames = agreed(self.do_sample_frames, other.do_sample_frames, "do_sample_frames")?;
        if let Some(fps) = fps.filter(|fps| !(*fps > 0.0 || *fps == -1.0)) {
            return Err(wrong("fps", &format!("{fps} is not a rate")));
        }
        if num_frames.is_some_and(|frames| frames < 1 && frames != -1) {
            return Err(wrong("num_frames", "at least 1, or -1"));
        }
        let total_num_frames = self.total_num_frames.or(other.total_num_frames);
        let duration = self.duration.or(other.duration);
        Ok(Self { num_frames, fps, frames_indices, do_sample_frames, total_num_frames, duration })
    }

    fn max_frames(&self) -> Option<usize> {
        self.num_frames.and_then(|frames| usize::try_from(frames).ok())
    }

    fn rate(&self) -> Option<f64> {
        self.fps.filter(|fps| *fps > 0.0)
    }

    /// Puts what is said of a video file into `options`; `most_frames` is the server's limit.
    pub(super) fn choose(self, options: &mut Options, most_frames: usize) -> ApiResult<()> {
        if self.frames_indices.is_some() {
            return Err(wrong(
                "frames_indices",
                "these are of frames that were sampled already (data:video/jpeg)",
            ));
        }
        if self.do_sample_frames == Some(false) {
            return Err(wrong("do_sample_frames", "the frames of a video file are always chosen here"));
        }
        let (fps, max_frames) = (self.rate(), self.max_frames());
        if fps.is_none() && self.num_frames == Some(-1) {
            return Err(wrong("num_frames", "-1 needs a rate: give fps too"));
        }
        options.choose(fps, max_frames.or(fps.map(|_| most_frames)))
    }

    /// What is said of frames that were sampled already.
    pub(super) fn sampled(self) -> ApiResult<Sampled> {
        if self.do_sample_frames == Some(true) {
            return Err(wrong("do_sample_frames", "frames that were sampled already are not sampled again"));
        }
        let max_frames = self.max_frames();
        let step = match self.frames_indices.as_deref() {
            Some(indices) => even_step(indices).ok_or_else(|| {
                wrong("frames_indices", "only evenly spaced frames from the beginning have times here")
            })?,
            None => 1.0,
        };
        Ok(Sampled { fps: self.rate().map(|fps| fps / step), max_frames })
    }
}

/// The distance between frames that stand evenly from the beginning on; None where they do not.
fn even_step(indices: &[u64]) -> Option<f64> {
    let (first, last) = (*indices.first()? as f64, *indices.last()? as f64);
    if indices.len() == 1 {
        return Some(1.0);
    }
    let step = (last - first) / (indices.len() - 1) as f64;
    let is_even =
        |(i, index): (usize, &u64)| (*index as f64 - first - i as f64 * step).abs() <= SPACING_TOLERANCE;
    (step >= 1.0 && first <= step && indices.iter().enumerate().all(is_even)).then_some(step)
}

fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>, field: &str) -> ApiResult<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            Err(wrong(field, "media_io_kwargs and mm_processor_kwargs differ; give one of them"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

fn wrong(field: &str, problem: &str) -> ApiError {
    ApiError::bad(format!("{field}: {problem}")).param(field)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn words(value: Value) -> VideoWords {
        let words: VideoWords = serde_json::from_value(value).unwrap();
        words.and(VideoWords::default()).unwrap()
    }

    #[test]
    fn sampled_frames_have_the_times_that_their_video_gave_them() {
        for (said, fps, max_frames) in [
            (json!({}), None, None),
            (json!({ "fps": 2.0 }), Some(2.0), None),
            (json!({ "num_frames": -1, "fps": -1, "do_sample_frames": false }), None, None),
            (json!({ "fps": 30.0, "frames_indices": [0, 10, 20, 30], "num_frames": 3 }), Some(3.0), Some(3)),
            (json!({ "fps": 30.0, "frames_indices": [0, 19, 40, 60] }), Some(1.5), None),
        ] {
            let sampled = words(said.clone()).sampled().unwrap();
            assert_eq!(sampled, Sampled { fps, max_frames }, "{said}");
        }
        for said in [
            json!({ "frames_indices": [0, 10, 90] }),
            json!({ "frames_indices": [50, 60] }),
            json!({ "do_sample_frames": true }),
        ] {
            assert!(words(said.clone()).sampled().is_err(), "{said}");
        }
    }

    #[test]
    fn what_is_said_twice_must_agree_and_rates_must_be_rates() {
        let two = |one: Value, other: Value| {
            let words = |value| serde_json::from_value::<VideoWords>(value).unwrap();
            words(one).and(words(other)).map_err(|e| e.message().to_owned())
        };
        assert_eq!(
            two(json!({ "fps": 2 }), json!({ "fps": 2, "num_frames": 4 })).unwrap().num_frames,
            Some(4)
        );
        assert!(two(json!({ "fps": 2 }), json!({ "fps": 1 })).unwrap_err().contains("differ"));
        for bad in [json!({ "fps": 0 }), json!({ "fps": -2 }), json!({ "num_frames": 0 })] {
            assert!(two(bad.clone(), json!({})).is_err(), "{bad}");
        }
    }
}
