//! The packets of one stream: when each frame is presented, and where decoding can start.

use super::{FrameCountSource, ProbeSettings};
use crate::error::{Result, VideoError};
use crate::process::{ToolCommand, run_streaming};
use crate::source::VideoSource;
use crate::time::{MediaTime, TimeBase};

const MAX_LINE_BYTES: usize = 4 << 10;
/// Average frame rate of a stream that states none.
const DEFAULT_FPS: f64 = 25.0;

/// The packets that are shown, in the file's order.
#[derive(Default)]
pub(super) struct Packets {
    packets: Vec<Packet>,
    missing_pts: usize,
    missing_dts: usize,
}

#[derive(Clone, Copy)]
struct Packet {
    pts: i64,
    dts: i64,
    duration: i64,
    position: u32,
    key: bool,
}

/// Absent time; ffmpeg's own AV_NOPTS_VALUE.
const NO_TIME: i64 = i64::MIN;

/// Frames in the order of presentation.
pub(super) struct FrameTable {
    pub(super) times: Vec<MediaTime>,
    pub(super) keyframes: Vec<usize>,
    pub(super) ticks: Option<Vec<i64>>,
    pub(super) decode_order: Vec<u32>,
    pub(super) end: MediaTime,
    pub(super) source: FrameCountSource,
}

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
        if packets.packets.len() > settings.max_frames {
            return Err(VideoError::TooManyFrames {
                source_name: name.clone(),
                max_frames: settings.max_frames,
            });
        }
        Ok(())
    })?;
    // A damaged file may end the listing with an error; the packets before it count.
    if packets.packets.is_empty() && !status.success() {
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
        self.missing_pts += usize::from(pts == NO_TIME);
        self.missing_dts += usize::from(dts == NO_TIME);
        let position = u32::try_from(self.packets.len()).unwrap_or(u32::MAX);
        self.packets.push(Packet { pts, dts, duration, position, key: flags.contains('K') });
    }

    pub(super) fn into_table(
        self,
        time_base: TimeBase,
        average_fps: Option<f64>,
        container_start_secs: Option<f64>,
    ) -> FrameTable {
        if self.missing_pts == 0 {
            presentation_table(self.packets, time_base, container_start_secs)
        } else if self.missing_dts == 0 {
            decoding_table(self.packets, time_base, average_fps)
        } else {
            counted_table(&self.packets, time_base, average_fps)
        }
    }
}

fn presentation_table(mut packets: Vec<Packet>, time_base: TimeBase, start_secs: Option<f64>) -> FrameTable {
    packets.sort_by_key(|packet| packet.pts);
    packets.dedup_by(|later, first| {
        let same = later.pts == first.pts;
        first.key |= same && later.key;
        same
    });
    let first = packets.first().map_or(0, |packet| packet.pts);
    let first_time = MediaTime::from_ticks(first, time_base);
    // ffprobe rounds the container's start to microseconds; where the video itself starts it, its exact time counts.
    let origin = match start_secs.map(MediaTime::from_secs) {
        Some(start) if start.saturating_sub(first_time).nanos().abs() > 1_000 => start,
        _ => first_time,
    };
    let time = |ticks: i64| MediaTime::from_ticks(ticks, time_base).saturating_sub(origin);
    let times: Vec<MediaTime> = packets.iter().map(|packet| time(packet.pts)).collect();
    let stated = packets.last().map_or(0, |last| last.duration);
    let end = match packets.last() {
        Some(last) if stated > 0 => time(last.pts.saturating_add(stated)),
        _ => end_by_average(&times),
    };
    let end = end.max(times.last().copied().unwrap_or_default());
    FrameTable {
        keyframes: key_positions(&packets),
        ticks: Some(packets.iter().map(|packet| packet.pts).collect()),
        decode_order: packets.iter().map(|packet| packet.position).collect(),
        times,
        end,
        source: FrameCountSource::PacketPresentationTimes,
    }
}

/// Without presentation times, the k-th frame shown gets the k-th decoding time, from 0.
fn decoding_table(packets: Vec<Packet>, time_base: TimeBase, average_fps: Option<f64>) -> FrameTable {
    let mut ticks: Vec<i64> = packets.iter().map(|packet| packet.dts).collect();
    ticks.sort_unstable();
    if ticks.windows(2).any(|pair| pair[0] == pair[1]) {
        return counted_table(&packets, time_base, average_fps);
    }
    let origin = MediaTime::from_ticks(ticks.first().copied().unwrap_or(0), time_base);
    let times: Vec<MediaTime> =
        ticks.iter().map(|&dts| MediaTime::from_ticks(dts, time_base).saturating_sub(origin)).collect();
    FrameTable {
        keyframes: key_positions(&packets),
        ticks: None,
        decode_order: Vec::new(),
        end: end_by_average(&times),
        times,
        source: FrameCountSource::PacketDecodingTimes,
    }
}

fn counted_table(packets: &[Packet], time_base: TimeBase, average_fps: Option<f64>) -> FrameTable {
    // The header of a raw stream is no witness: ffprobe 9 reports an average of 25 whatever the stream says.
    let fps = fps_by_durations(packets, time_base).or(average_fps).unwrap_or(DEFAULT_FPS);
    let time = |count: usize| MediaTime::from_secs(count as f64 / fps);
    FrameTable {
        times: (0..packets.len()).map(time).collect(),
        keyframes: key_positions(packets),
        ticks: None,
        decode_order: Vec::new(),
        end: time(packets.len()),
        source: FrameCountSource::PacketCount,
    }
}

/// The inverse of the mean duration of the packets that state one.
fn fps_by_durations(packets: &[Packet], time_base: TimeBase) -> Option<f64> {
    let stated = || packets.iter().map(|packet| packet.duration).filter(|&duration| duration > 0);
    let ticks: f64 = stated().map(|duration| duration as f64).sum();
    let secs = ticks * f64::from(time_base.numerator) / f64::from(time_base.denominator);
    (secs > 0.0).then(|| stated().count() as f64 / secs)
}

fn key_positions(packets: &[Packet]) -> Vec<usize> {
    packets.iter().enumerate().filter(|(_, packet)| packet.key).map(|(position, _)| position).collect()
}

/// The last frame lasts as long as the average one.
fn end_by_average(times: &[MediaTime]) -> MediaTime {
    match times {
        [first, .., last] => {
            let gap = last.saturating_sub(*first).nanos() / (times.len() as i64 - 1);
            last.saturating_add(MediaTime::from_nanos(gap))
        }
        [only] => *only,
        [] => MediaTime::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &[&str], start_secs: f64) -> FrameTable {
        let mut packets = Packets::default();
        lines.iter().for_each(|line| packets.push_line(line.as_bytes()));
        packets.into_table(TimeBase { numerator: 1, denominator: 1000 }, Some(10.0), Some(start_secs))
    }

    fn secs(table: &FrameTable) -> Vec<f64> {
        table.times.iter().map(|time| time.secs()).collect()
    }

    #[test]
    fn b_frames_are_ranked_by_presentation_and_cut_packets_left_out() {
        let lines = [
            "pts=-100|dts=-300|duration=100|flags=KD",
            "pts=0|dts=-200|duration=100|flags=K_|",
            "",
            "side_data_type=x|flags",
            "pts=300|dts=-100|duration=100|flags=___",
            "pts=100|dts=0|duration=100|flags=__",
            "pts=200|dts=100|duration=100|flags=K__",
        ];
        let table = table(&lines, 0.0);
        assert_eq!(secs(&table), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(table.keyframes, [0, 2]);
        assert_eq!(table.end.secs(), 0.4);
        assert_eq!(table.source, FrameCountSource::PacketPresentationTimes);
    }

    #[test]
    fn times_are_relative_to_the_container_and_equal_times_count_once() {
        let lines = ["pts=1480|dts=1|flags=__", "pts=1480|dts=2|flags=K_", "pts=1520|dts=3|flags=__"];
        let table = table(&lines, 1.4);
        assert_eq!(secs(&table), [0.08, 0.12]);
        assert_eq!(table.keyframes, [0]);
        assert_eq!(table.end.secs(), 0.16);
    }

    #[test]
    fn packets_without_times_fall_back_and_say_so() {
        let decoding = table(&["pts=N/A|dts=0|flags=K_", "pts=40|dts=40|flags=__"], 0.0);
        assert_eq!(
            (secs(&decoding), decoding.source),
            (vec![0.0, 0.04], FrameCountSource::PacketDecodingTimes)
        );
        let counted = table(&["pts=N/A|dts=N/A|flags=K_", "pts=N/A|dts=N/A|flags=__"], 0.0);
        assert_eq!((secs(&counted), counted.source), (vec![0.0, 0.1], FrameCountSource::PacketCount));
        let same = table(&["pts=N/A|dts=5|flags=K_", "pts=N/A|dts=5|flags=__"], 0.0);
        assert_eq!(same.source, FrameCountSource::PacketCount);
    }

    #[test]
    fn counted_packets_last_as_long_as_they_say_rather_than_as_the_header_says() {
        let lines = ["duration=200|flags=K_", "duration=300|flags=__", "duration=0|flags=__"];
        let counted = table(&lines, 0.0);
        assert_eq!((secs(&counted), counted.end.secs()), (vec![0.0, 0.25, 0.5], 0.75));
        let silent = table(&["duration=N/A|flags=K_", "duration=-5|flags=__"], 0.0);
        assert_eq!((secs(&silent), silent.end.secs()), (vec![0.0, 0.1], 0.2));
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let lines = [
            "pts=9223372036854775807|dts=0|duration=9223372036854775807|flags=K_",
            "pts=-9223372036854775807|dts=0|flags=K_",
        ];
        let table = table(&lines, -9e18);
        assert_eq!(table.times.len(), 2);
        assert!(table.times[0] <= table.times[1] && table.times[1] <= table.end);
        let counted = self::table(&["duration=9223372036854775807|flags=K_"; 2], 0.0);
        assert!(counted.times[0] < counted.times[1] && counted.times[1] <= counted.end);
    }
}
