//! From packets to frames: when each is presented, and where decoding can start.

use super::FrameCountSource;
use super::clock::{self, ClockPiece};
use super::fields;
use super::packets::{NO_TIME, Packet, Packets};
use crate::time::{MediaTime, TimeBase};

/// Average frame rate of a stream that states none.
const DEFAULT_FPS: f64 = 25.0;
/// Pieces of a clock that fit ffmpeg's command line; frames of more are counted.
const MAX_PIECES: usize = 256;

/// What a stream's header says of its packets.
pub(super) struct TableSettings<'a> {
    pub(super) time_base: TimeBase,
    pub(super) average_fps: Option<f64>,
    pub(super) container_start_secs: Option<f64>,
    /// The container is one whose clock may jump ahead within it.
    pub(super) clock_may_jump: bool,
    /// Times of the first frames that decode, for a stream whose packets may be fields; else empty.
    pub(super) decoded: &'a [i64],
}

/// Frames in the order of presentation.
pub(super) struct FrameTable {
    pub(super) times: Vec<MediaTime>,
    pub(super) keyframes: Vec<usize>,
    pub(super) ticks: Option<Vec<i64>>,
    pub(super) decode_order: Vec<u32>,
    pub(super) end: MediaTime,
    pub(super) source: FrameCountSource,
    /// Where the clock jumps; empty where it runs on.
    pub(super) pieces: Vec<ClockPiece>,
}

/// The frames of `packets`.
pub(super) fn frame_table(packets: Packets, settings: &TableSettings<'_>) -> FrameTable {
    let Packets(mut packets) = packets;
    let are_fields = fields::join(&mut packets, settings.decoded);
    let TableSettings { time_base, average_fps, container_start_secs: start_secs, .. } = *settings;
    let pieces = clock::unroll(&mut packets, time_base, settings.clock_may_jump);
    let all = |time: fn(&Packet) -> i64| packets.iter().all(|packet| time(packet) != NO_TIME);
    let mut table = if all(|packet| packet.pts) {
        presentation_table(packets, time_base, start_secs.filter(|_| pieces.is_empty()))
    } else if all(|packet| packet.dts) {
        decoding_table(packets, time_base, average_fps)
    } else {
        counted_table(&packets, time_base, average_fps)
    };
    if are_fields {
        table.source = FrameCountSource::FirstFieldTimes;
    }
    if pieces.len() > MAX_PIECES {
        table.ticks = None;
        table.decode_order = Vec::new();
    }
    FrameTable { pieces, ..table }
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
        pieces: Vec::new(),
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
        pieces: Vec::new(),
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
        pieces: Vec::new(),
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
        let settings = TableSettings {
            time_base: TimeBase { numerator: 1, denominator: 1000 },
            average_fps: Some(10.0),
            container_start_secs: Some(start_secs),
            clock_may_jump: true,
            decoded: &[],
        };
        frame_table(packets, &settings)
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
