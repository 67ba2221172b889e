//! Clocks that jump within a file: recordings that were joined, and recorders that lost their signal.

use super::packets::{NO_TIME, Packet};
use crate::time::TimeBase;

/// Decoding times rise from packet to packet; what writers get wrong about that is far below this.
const BACK_SECS: f64 = 0.2;
/// ffmpeg's own limit on a gap within one recording, for the formats whose clocks may jump.
const AHEAD_SECS: f64 = 10.0;

/// Packets that follow each other in the file, through which the clock runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockPiece {
    /// The earliest and the latest presentation time in it, in the stream's ticks as they are stored.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// What is added to those, so that its first frame follows the last one of the piece before.
    pub(crate) shift: i64,
}

/// Lets the clock of `packets`, in the file's order, run on through its jumps. Back is never right; ahead only where
/// `may_jump_ahead` says that it is a jump and not a picture that stands. Empty where there is none.
pub(super) fn unroll(packets: &mut [Packet], time_base: TimeBase, may_jump_ahead: bool) -> Vec<ClockPiece> {
    let back = time_base.ticks(BACK_SECS);
    let ahead = if may_jump_ahead { time_base.ticks(AHEAD_SECS) } else { i64::MAX };
    let mut previous = NO_TIME;
    let mut starts = vec![0];
    for (i, packet) in packets.iter().enumerate().filter(|(_, packet)| packet.dts != NO_TIME) {
        let step = packet.dts.saturating_sub(previous);
        if previous != NO_TIME && (step < -back || step > ahead) {
            starts.push(i);
        }
        previous = packet.dts;
    }
    if starts.len() == 1 {
        return Vec::new();
    }
    starts.push(packets.len());
    let mut end = None;
    let mut pieces = Vec::with_capacity(starts.len() - 1);
    for bounds in starts.windows(2) {
        let piece = &mut packets[bounds[0]..bounds[1]];
        let Some((first, last, step)) = span(piece) else { continue };
        let shift = end.map_or(0, |end: i64| end.saturating_sub(first));
        for packet in piece.iter_mut() {
            for time in [&mut packet.pts, &mut packet.dts].into_iter().filter(|time| **time != NO_TIME) {
                *time = time.saturating_add(shift);
            }
        }
        end = Some(last.saturating_add(shift).saturating_add(step));
        pieces.push(ClockPiece { first, last, shift });
    }
    pieces
}

/// First and last time of a piece, and how long its last frame lasts.
fn span(piece: &[Packet]) -> Option<(i64, i64, i64)> {
    let time = |packet: &Packet| if packet.pts == NO_TIME { packet.dts } else { packet.pts };
    let timed = || piece.iter().filter(|packet| time(packet) != NO_TIME);
    let first = timed().map(time).min()?;
    let last = timed().max_by_key(|packet| time(packet))?;
    let mean = time(last).saturating_sub(first) / (timed().count() as i64 - 1).max(1);
    let step = if last.duration > 0 { last.duration } else { mean.max(1) };
    Some((first, time(last), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: TimeBase = TimeBase { numerator: 1, denominator: 1000 };

    /// Frames of 100 ms, decoded in the order in which they are shown but `delay` ms before.
    fn recording(start: i64, frames: i64, delay: i64) -> impl Iterator<Item = Packet> {
        (0..frames).map(move |k| {
            let pts = start + 100 * k;
            Packet { pts, dts: pts - delay, duration: 100, position: 0, key: k == 0 }
        })
    }

    fn unrolled(packets: impl Iterator<Item = Packet>, may_jump_ahead: bool) -> (Vec<i64>, Vec<ClockPiece>) {
        let mut packets: Vec<Packet> = packets.collect();
        let pieces = unroll(&mut packets, MILLIS, may_jump_ahead);
        (packets.iter().map(|packet| packet.pts).collect(), pieces)
    }

    #[test]
    fn joined_recordings_follow_each_other() {
        // The same clock again, off by half a frame, far back, far ahead; another delay of decoding.
        for (start, delay) in [(1000, 0), (1050, 0), (-500_000, 0), (95_000_000, 0), (1000, 180)] {
            let joined = recording(1000, 4, 0).chain(recording(start, 3, delay));
            let (times, pieces) = unrolled(joined, true);
            assert_eq!(times, [1000, 1100, 1200, 1300, 1400, 1500, 1600], "{start} {delay}");
            let second = ClockPiece { first: start, last: start + 200, shift: 1400 - start };
            assert_eq!(pieces, [ClockPiece { first: 1000, last: 1300, shift: 0 }, second]);
        }
    }

    #[test]
    fn one_wrong_time_is_a_piece_of_its_own() {
        let wrong = recording(9_000_000, 1, 0);
        let (times, pieces) = unrolled(recording(0, 3, 0).chain(wrong).chain(recording(400, 2, 0)), true);
        assert_eq!((times, pieces.len()), (vec![0, 100, 200, 300, 400, 500], 3));
    }

    #[test]
    fn what_is_no_jump_stays() {
        let standing = || recording(0, 3, 0).chain(recording(60_000, 2, 0));
        assert_eq!(unrolled(standing(), false).1, []);
        assert_eq!(unrolled(standing(), true).1.len(), 2);
        let untidy = recording(0, 3, 0).chain(recording(150, 3, 0));
        assert_eq!(unrolled(untidy, true).1, [], "50 ms back");
        let untimed = Packet { dts: NO_TIME, ..recording(0, 1, 0).next().unwrap() };
        assert_eq!(unrolled(recording(5000, 2, 0).chain([untimed]), true).1, []);
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let far = |dts| Packet { pts: dts, dts, duration: i64::MAX, position: 0, key: true };
        let pieces = unrolled([far(i64::MAX), far(i64::MIN + 1), far(i64::MAX)].into_iter(), true).1;
        assert_eq!(pieces.len(), 3);
    }
}
