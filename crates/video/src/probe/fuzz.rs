//! The tables of a probe as a fuzzer's target.

use super::packets::Packets;
use super::streams::Header;
use super::table::{TableSettings, frame_table};
use crate::source::VideoSource;

/// What ffprobe prints, read without running it: the header as JSON, and the lines of packets after an empty line. For fuzzing.
pub(crate) fn read_tables(printed: &[u8]) {
    let at = printed.windows(2).position(|pair| pair == b"\n\n").unwrap_or(printed.len());
    let (header, lines) = printed.split_at(at);
    let mut packets = Packets::default();
    lines.split(|&byte| byte == b'\n').for_each(|line| packets.push_line(line));
    let Ok(header) = serde_json::from_slice::<Header>(header) else { return };
    let subtitles = header.subtitle_streams();
    let _ = crate::SubtitleTrack::Usual.choose(&subtitles);
    let source = VideoSource::File("fuzzed.mp4".into());
    let Ok(stream) = header.choose_video(&source) else { return };
    let _ = (stream.picture("fuzzed", u64::MAX), header.warnings(stream, &source), header.duration_secs());
    let Ok(time_base) = stream.time_base("fuzzed") else { return };
    let decoded: Vec<i64> = packets.0.iter().step_by(2).map(|packet| packet.pts).collect();
    let settings = TableSettings {
        time_base,
        average_fps: stream.average_fps(),
        container_start_secs: header.start_secs(),
        clock_may_jump: header.clock_may_jump(),
        decoded: &decoded,
    };
    let table = frame_table(packets, &settings);
    let rising = table.times.windows(2).all(|pair| pair[0] <= pair[1]);
    assert!(
        rising && table.keyframes.iter().all(|&key| key < table.times.len()),
        "a frame table out of order"
    );
}
