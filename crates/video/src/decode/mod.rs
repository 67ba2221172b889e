//! Plan in, frames out: ffmpeg in a child process, or image files. Bounded in frames and bytes.

mod colour;
mod command;
mod damage;
mod images;
mod log;
mod recover;
mod run;
mod video;

use std::time::Duration;
use std::vec::IntoIter;

pub use colour::Colour;

use crate::error::{Result, VideoError};
use crate::probe::{Content, VideoInfo};
use crate::process::Tools;
use crate::sample::{PlannedFrame, SamplePlan};
use crate::time::MediaTime;

/// How to decode.
#[derive(Clone, Debug)]
pub struct DecodeSettings {
    /// The programs to run.
    pub tools: Tools,
    /// How pictures become RGB; decides the bytes.
    pub colour: Colour,
    /// Limit on the time in which ffmpeg decodes no frame. The time that frames wait to be taken does not count.
    pub timeout: Duration,
    /// Threads of ffmpeg's decoder; 0: as many as it likes. Does not change the bytes.
    pub threads: usize,
    /// Limit on the bytes of decoded frames that wait to be taken; at least one frame waits.
    pub max_buffered_bytes: usize,
}

impl Default for DecodeSettings {
    fn default() -> Self {
        Self {
            tools: Tools::default(),
            colour: Colour::default(),
            timeout: Duration::from_secs(120),
            threads: 0,
            max_buffered_bytes: 8 << 20,
        }
    }
}

/// One decoded frame: 8-bit RGB, rows from the top, no padding.
///
/// Rotation is applied. High bit depths are reduced to 8, as [`Colour`] says. HDR is not tone-mapped: its code values are
/// converted like those of standard video. Pictures that state no colour matrix are taken as BT.601, as ffmpeg does.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Position among the frames taken, from 0.
    pub ordinal: usize,
    /// Rank of the planned frame's presentation time in the whole video.
    pub index: usize,
    /// The planned frame's presentation time.
    pub time: MediaTime,
    /// Index of the frame near by whose pixels these are, if the planned one cannot be decoded or not be trusted.
    pub replaced_from: Option<usize>,
    /// These pixels are predicted from a frame that is damaged, and nothing better is near: a part may be wrong.
    pub is_after_damage: bool,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("ordinal", &self.ordinal)
            .field("index", &self.index)
            .field("time", &self.time)
            .field("replaced_from", &self.replaced_from)
            .field("is_after_damage", &self.is_after_damage)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

/// The pixels of one frame.
struct Picture {
    replaced_from: Option<usize>,
    is_after_damage: bool,
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

enum Pictures {
    Video(Box<video::VideoPictures>),
    Images(images::ImagePictures),
}

/// Frames in the order of their ordinals. Ends after the first error. Dropping it stops ffmpeg.
pub struct FrameReader {
    planned: IntoIter<PlannedFrame>,
    pictures: Pictures,
    /// The last frame, kept only while the plan repeats it.
    repeated: Option<Frame>,
    failed: bool,
}

/// Starts decoding what a plan asks for.
///
/// # Errors
/// ffmpeg missing. Errors of decoding come from the reader.
pub fn open_frames(info: &VideoInfo, plan: &SamplePlan, settings: &DecodeSettings) -> Result<FrameReader> {
    let beyond = plan.frames.iter().any(|frame| frame.index >= info.total_frames);
    if beyond || plan.total_frames != info.total_frames {
        return Err(VideoError::Decode {
            source_name: info.source.name(),
            detail: "the plan was made for another video".to_owned(),
        });
    }
    let pictures = match &info.content {
        Content::Images(files) => Pictures::Images(images::ImagePictures::new(files.clone(), info, settings)),
        Content::Stream(stream) => {
            let video = video::VideoPictures::open(info, stream, plan, settings)?;
            Pictures::Video(Box::new(video))
        }
    };
    Ok(FrameReader { planned: plan.frames.clone().into_iter(), pictures, repeated: None, failed: false })
}

impl FrameReader {
    fn take(&mut self, planned: PlannedFrame) -> Result<Frame> {
        let PlannedFrame { ordinal, index, time } = planned;
        let frame = match self.repeated.take().filter(|frame| frame.index == index) {
            Some(frame) => Frame { ordinal, ..frame },
            None => {
                let picture = match &mut self.pictures {
                    Pictures::Video(video) => video.picture(index)?,
                    Pictures::Images(images) => images.picture(index)?,
                };
                let Picture { replaced_from, is_after_damage, width, height, rgb } = picture;
                Frame { ordinal, index, time, replaced_from, is_after_damage, width, height, rgb }
            }
        };
        if self.planned.as_slice().first().is_some_and(|next| next.index == index) {
            self.repeated = Some(frame.clone());
        }
        Ok(frame)
    }
}

impl Iterator for FrameReader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let planned = self.planned.next()?;
        let frame = self.take(planned);
        self.failed = frame.is_err();
        Some(frame)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.planned.len()))
    }
}
