//! One run of ffmpeg: its frames, each with the key under which ffmpeg logged it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::DecodeSettings;
use super::command::{Dialect, RunRequest, command};
use super::damage::Listing;
use super::log::{Expected, LoggedFrame, NextOutput, RunLog};
use crate::error::{Result, VideoError};
use crate::probe::{VideoInfo, VideoStream};
use crate::process::{NextChunk, ToolProcess};

const MAX_QUEUED_FRAMES: usize = 4;
const LISTING_CHUNK_BYTES: usize = 4096;
/// How long to wait for the log before frames that ffmpeg holds back are taken.
const LOG_WAIT: Duration = Duration::from_millis(5);

/// What every run needs.
pub(super) struct Decoder {
    pub(super) info: VideoInfo,
    pub(super) stream: VideoStream,
    pub(super) settings: DecodeSettings,
    pub(super) dialect: Dialect,
}

pub(super) struct Run {
    process: ToolProcess,
    log: RunLog,
    /// Frames taken early; their number is bounded by the codec's reordering.
    held: VecDeque<Vec<u8>>,
    frame_bytes: usize,
    timeout: Duration,
    source_name: String,
}

impl Decoder {
    pub(super) fn start(&self, request: &RunRequest) -> Result<Run> {
        let frame_bytes = self.info.width as usize * self.info.height as usize * 3;
        let chunk_bytes = if request.wanted.is_empty() { LISTING_CHUNK_BYTES } else { frame_bytes };
        // One more frame waits in the hands of the thread that reads it.
        let queued = (self.settings.max_buffered_bytes / frame_bytes).clamp(1, MAX_QUEUED_FRAMES) - 1;
        let log = RunLog::new(Expected {
            key: request.key,
            wanted: request.wanted.clone(),
            time_base: self.stream.time_base,
            ticks: self.stream.ticks.clone(),
            order: self.order(),
            clock_jumps: !self.stream.pieces.is_empty(),
        });
        let command = command(&self.info, &self.stream, &self.settings, self.dialect, request);
        let process = ToolProcess::spawn(command, chunk_bytes, queued, log.clone())?;
        let timeout = self.settings.timeout;
        Ok(Run {
            process,
            log,
            held: VecDeque::new(),
            frame_bytes,
            timeout,
            source_name: self.info.source.name(),
        })
    }
}

impl Run {
    /// The next output frame, or `None` at the end.
    pub(super) fn next_frame(&mut self) -> Result<Option<(LoggedFrame, Vec<u8>)>> {
        let rgb = match self.held.pop_front() {
            Some(rgb) => Some(rgb),
            None => self.next_chunk()?,
        };
        let Some(rgb) = rgb.filter(|rgb| rgb.len() == self.frame_bytes) else { return Ok(None) };
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.log.next_output(LOG_WAIT).map_err(|reason| self.failed(reason))? {
                NextOutput::Frame(frame) => return Ok(Some((frame, rgb))),
                NextOutput::Ended => return Err(self.failed("ffmpeg gave a frame that it did not log")),
                NextOutput::Wait if Instant::now() >= deadline => {
                    return Err(self.process.timed_out(self.timeout));
                }
                // Whether the frame is good depends on later ones, which ffmpeg may hold back until these are taken.
                NextOutput::Wait => self.held.extend(self.process.waiting_chunk()),
            }
        }
    }

    /// Waits as long as ffmpeg goes on decoding: the next frame that is wanted may be far away.
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let decoded = self.log.decoded();
            match self.process.poll_chunk(self.timeout)? {
                NextChunk::Chunk(chunk) => return Ok(Some(chunk)),
                NextChunk::Ended => return Ok(None),
                NextChunk::Wait if self.log.decoded() > decoded => {}
                NextChunk::Wait => return Err(self.process.timed_out(self.timeout)),
            }
        }
    }

    /// Waits for a listing to end: its frames, and what ffmpeg had to say.
    pub(super) fn list(mut self) -> Result<(Listing, String)> {
        while self.next_chunk()?.is_some() {}
        let status = self.process.finish(self.timeout)?;
        let complaints = match self.log.complaints() {
            none if none.is_empty() && !status.success() => format!("ffmpeg ended with {status}"),
            complaints => complaints,
        };
        Ok((self.log.take_listing(), complaints))
    }

    /// Key of the first frame decoded so far, whether output or not.
    pub(super) fn first_key(&self) -> Option<i64> {
        self.log.first_key()
    }

    fn failed(&self, detail: &str) -> VideoError {
        VideoError::Decode { source_name: self.source_name.clone(), detail: detail.to_owned() }
    }
}
