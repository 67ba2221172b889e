//! Frames that are coded as two field pictures (H.264 of camcorders and broadcasts), each in a packet of its own: which
//! packets are second fields, by what a decoder makes of the first ones.

use super::ProbeSettings;
use super::packets::{NO_TIME, Packet};
use crate::process::{ToolCommand, run_to_end};
use crate::source::VideoSource;

/// Packets that are decoded to see which of them are frames.
const HEAD_PACKETS: usize = 48;
/// Decoded frames that are enough to judge by.
const MIN_FRAMES: usize = 4;
const MAX_LISTING_BYTES: usize = 1 << 20;

/// Times of the frames that the first packets decode to, in the stream's ticks; empty where none does.
pub(super) fn decoded_head(source: &VideoSource, stream: u32, settings: &ProbeSettings) -> Vec<i64> {
    let command = ToolCommand::ffprobe(&settings.tools, source.name())
        .args(["-hide_banner", "-v", "error", "-select_streams", &stream.to_string()])
        .args(["-read_intervals", &format!("%+#{HEAD_PACKETS}")])
        .args(["-show_entries", "frame=best_effort_timestamp", "-of", "csv=p=0"])
        .args(source.input_args());
    // What does not decode here says nothing of the packets; decoding will tell.
    let listing = run_to_end(command, settings.timeout, MAX_LISTING_BYTES).map(|output| output.stdout);
    let text = String::from_utf8(listing.unwrap_or_default()).unwrap_or_default();
    text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect()
}

/// Leaves second fields out of `packets`, in the file's order, where the frames `decoded` from the first ones bear it out.
/// Whether any was left out.
pub(super) fn join(packets: &mut Vec<Packet>, decoded: &[i64]) -> bool {
    let Some(offset) = field_offset(packets, decoded) else { return false };
    let seconds = second_fields(packets, offset);
    let joined: Vec<Packet> =
        packets.iter().zip(&seconds).filter(|(_, second)| !**second).map(|(packet, _)| *packet).collect();
    let is_borne_out = joined.iter().all(|packet| packet.pts != NO_TIME) && agrees(&joined, decoded);
    if is_borne_out {
        *packets = joined;
    }
    is_borne_out
}

/// How much later a second field is presented than its first one; `NO_TIME` where second fields have no time.
fn field_offset(packets: &[Packet], decoded: &[i64]) -> Option<i64> {
    let is_frame = |packet: &Packet| decoded.contains(&packet.pts);
    let head = packets.iter().take(HEAD_PACKETS).zip(packets.iter().skip(1));
    let (first, second) = head.into_iter().find(|(first, second)| is_frame(first) && !is_frame(second))?;
    Some(if second.pts == NO_TIME { NO_TIME } else { second.pts.saturating_sub(first.pts) })
        .filter(|&offset| offset == NO_TIME || offset > 0)
}

/// A second field follows its first one in the file, and clocks may round by a tick.
fn second_fields(packets: &[Packet], offset: i64) -> Vec<bool> {
    let mut seconds: Vec<bool> = Vec::with_capacity(packets.len());
    for (i, packet) in packets.iter().enumerate() {
        let first = i.checked_sub(1).filter(|&first| !seconds[first]).map(|first| packets[first].pts);
        let is_second = first.is_some_and(|first| match (first, packet.pts) {
            (NO_TIME, _) => false,
            (_, NO_TIME) => offset == NO_TIME,
            (first, pts) => offset != NO_TIME && (pts.saturating_sub(first) - offset).abs() <= 1,
        });
        seconds.push(is_second);
    }
    seconds
}

/// Whether the frames that decode are those of `packets`, apart from a few that are damaged.
fn agrees(packets: &[Packet], decoded: &[i64]) -> bool {
    let (Some(first), Some(last)) = (decoded.iter().min(), decoded.iter().max()) else { return false };
    let times = packets.iter().take(HEAD_PACKETS).map(|packet| packet.pts);
    let times: Vec<i64> = times.filter(|time| (first..=last).contains(&time)).collect();
    decoded.len() >= MIN_FRAMES
        && decoded.iter().all(|time| times.contains(time))
        && 4 * decoded.len() >= 3 * times.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pts: i64) -> Packet {
        Packet { pts, dts: pts, duration: 20, position: 0, key: false }
    }

    fn joined(times: &[i64], decoded: &[i64]) -> Option<Vec<i64>> {
        let mut packets: Vec<Packet> = times.iter().copied().map(packet).collect();
        join(&mut packets, decoded).then(|| packets.iter().map(|packet| packet.pts).collect())
    }

    #[test]
    fn second_fields_with_a_time_of_their_own_and_without() {
        let timed = [0, 20, 120, 140, 40, 60, 80, 100, 160, 180];
        let frames = [0, 120, 40, 80, 160];
        assert_eq!(joined(&timed, &[0, 40, 80, 120, 160]).unwrap(), frames);
        let untimed = [0, NO_TIME, 120, NO_TIME, 40, NO_TIME, 80, NO_TIME, 160, NO_TIME];
        assert_eq!(joined(&untimed, &[0, 40, 80, 120]).unwrap(), frames);
        let rounded = [0, 17, 33, 50, 67, 83, 100, 117, 133, 150];
        assert_eq!(joined(&rounded, &[0, 33, 67, 100, 133]).unwrap(), [0, 33, 67, 100, 133]);
    }

    #[test]
    fn frames_between_field_pairs_stay() {
        let mixed = [0, 20, 40, 80, 100, 120, 160, 180];
        assert_eq!(joined(&mixed, &[0, 40, 80, 120, 160]).unwrap(), [0, 40, 80, 120, 160]);
        let untimed = [0, NO_TIME, 40, 80, NO_TIME, 120];
        assert_eq!(joined(&untimed, &[0, 40, 80, 120]).unwrap(), [0, 40, 80, 120]);
    }

    #[test]
    fn only_what_decoding_bears_out() {
        let times = [0, 20, 40, 60, 80, 100];
        assert_eq!(joined(&times, &times), None, "every packet is a frame");
        assert_eq!(joined(&times, &[0, 40, 80]), None, "too few");
        assert_eq!(joined(&times, &[]), None);
        assert_eq!(joined(&[0, 20, 40, 60, 80, 100, 120, 140], &[0, 40, 60, 80, 120]), None, "60 is a frame");
        let two_untimed = [0, NO_TIME, NO_TIME, 40, 80, 120, 160];
        assert_eq!(joined(&two_untimed, &[0, 40, 80, 120, 160]), None, "a third field");
    }
}
