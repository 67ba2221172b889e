//! The packets of one stream, as its file has them.

use super::ProbeSettings;
use crate::error::{Result, VideoError};
use crate::process::{ToolCommand, run_streaming};
use crate::source::VideoSource;

const MAX_LINE_BYTES: usize = 4 << 10;

/// The packets that are shown, in the file's order.
#[derive(Default)]
pub(super) struct Packets(pub(super) Vec<Packet>);

/// One packet; its times are ticks of the stream's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) pts: i64,
    pub(super) dts: i64,
    pub(super) duration: i64,
    /// Among the packets of the file.
    pub(super) position: u32,
    pub(super) key: bool,
}

/// Absent time; ffmpeg's own AV_NOPTS_VALUE.
pub(super) const NO_TIME: i64 = i64::MIN;

/// Lists the packets of a stream. The listing is read as it comes, never held as text.
pub(super) fn list_packets(source: &VideoSource, stream: u32, settings: &ProbeSettings) -> Result<Packets> {
    let name = source.name();
    let command = ToolCommand::ffprobe(&settings.tools, name.clone())
        .args(["-hide_banner", "-v", "error", "-select_streams", &stream.to_string()])
        .args(["-show_entries", "packet=pts,dts,duration,flags", "-of", "compact=p=0"])
        .args(source.input_args());
    let mut packets = Packets::default();
    let mut line = Vec::new();
    let (status, log) = run_streaming(command, settings.timeout, |chunk| {
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            let room = MAX_LINE_BYTES.saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                packets.push_line(&line);
                line.clear();
            }
        }
        if packets.0.len() > settings.max_frames {
            return Err(VideoError::TooManyFrames {
                source_name: name.clone(),
                max_frames: settings.max_frames,
            });
        }
        Ok(())
    })?;
    // A damaged file may end the listing with an error; the packets before it count.
    if packets.0.is_empty() && !status.success() {
        return Err(VideoError::NotAVideo { source_name: source.name(), detail: log });
    }
    Ok(packets)
}

impl Packets {
    /// `pts=0|dts=-1024|duration=512|flags=K_`; anything else (side data) is skipped.
    pub(super) fn push_line(&mut self, line: &[u8]) {
        let Ok(line) = std::str::from_utf8(line) else { return };
        let (mut pts, mut dts, mut duration) = (NO_TIME, NO_TIME, 0);
        let mut flags = None;
        for (key, value) in line.trim_end().split('|').filter_map(|field| field.split_once('=')) {
            match key {
                "pts" => pts = value.parse().unwrap_or(NO_TIME),
                "dts" => dts = value.parse().unwrap_or(NO_TIME),
                "duration" => duration = value.parse().unwrap_or(0),
                "flags" => flags = Some(value),
                _ => {}
            }
        }
        // Packets that an edit list cuts away are decoded but never shown.
        let Some(flags) = flags.filter(|flags| !flags.contains('D')) else { return };
        let position = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.push(Packet { pts, dts, duration, position, key: flags.contains('K') });
    }
}
