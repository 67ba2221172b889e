//! Which of the decoded frames can be trusted.
//!
//! ffmpeg marks a frame of which it had to guess a part, and leaves out one that it cannot decode at all; but what is
//! predicted from either comes without complaint and with wrong pixels. So a frame counts as damaged if a frame of its
//! group that was decoded before it (in the file's order, not in time) failed: with reordering, that one may be shown
//! after it. Without any error from ffmpeg, a missing frame means no damage: some streams hold packets that are never
//! shown.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::time::MediaTime;

/// Streams without further keyframes refresh their pictures piece by piece: damage is over after this time.
const HEALING_TIME: MediaTime = MediaTime::from_nanos(10_000_000_000);
/// No codec shows a frame more than this many frames after one that was decoded later.
const MAX_REORDERING: usize = 32;

/// The order of a video's frames: in time (their index) and in the file.
#[derive(Clone, Debug)]
pub(super) struct FrameOrder {
    pub(super) times: Arc<[MediaTime]>,
    pub(super) keyframes: Arc<[usize]>,
    /// Position of each frame's packet in the file; empty if frames are only counted.
    pub(super) decode_order: Arc<[u32]>,
}

impl FrameOrder {
    fn decoded_as(&self, index: usize) -> u64 {
        self.decode_order.get(index).map_or(index as u64, |&position| position.into())
    }

    /// The last frame in time among those decoded before this one. When it has passed, all that this frame may be
    /// predicted from has been shown or has failed.
    pub(super) fn settled_by(&self, index: usize) -> usize {
        let end = (index + 1 + MAX_REORDERING).min(self.times.len());
        let decoded = self.decoded_as(index);
        (index + 1..end).rev().find(|&later| self.decoded_as(later) < decoded).unwrap_or(index)
    }
}

/// Follows one run of ffmpeg, frame by frame.
pub(super) struct DamageTracker {
    order: FrameOrder,
    /// Decoded, but not yet judged: index and whether ffmpeg marked it.
    pending: VecDeque<(usize, bool)>,
    last_index: Option<usize>,
    good_keyframes: BTreeSet<usize>,
    /// Frames that are missing or marked, by their place in the file.
    failed: BTreeMap<u64, MediaTime>,
    errors: bool,
}

impl DamageTracker {
    pub(super) fn new(order: FrameOrder) -> Self {
        Self {
            order,
            pending: VecDeque::new(),
            last_index: None,
            good_keyframes: BTreeSet::new(),
            failed: BTreeMap::new(),
            errors: false,
        }
    }

    /// ffmpeg reported an error of any kind.
    pub(super) fn error(&mut self) {
        self.errors = true;
    }

    /// A frame was decoded; ffmpeg may have marked it as corrupt.
    pub(super) fn decoded(&mut self, index: usize, marked: bool) {
        let expected = self.last_index.map_or(index, |last| last + 1);
        self.last_index = Some(index);
        if self.errors {
            (expected..index).for_each(|missing| self.fail(missing));
        }
        if marked {
            self.fail(index);
        } else if self.order.keyframes.binary_search(&index).is_ok() {
            self.good_keyframes.insert(index);
        }
        self.pending.push_back((index, marked));
    }

    fn fail(&mut self, index: usize) {
        self.failed.insert(self.order.decoded_as(index), self.order.times[index]);
    }

    /// The next frame that can be judged, and whether it is damaged. `ended`: no frames will follow.
    pub(super) fn next_verdict(&mut self, ended: bool) -> Option<(usize, bool)> {
        let &(index, marked) = self.pending.front()?;
        let settled = ended || !self.errors || self.last_index >= Some(self.order.settled_by(index));
        if !settled {
            return None;
        }
        self.pending.pop_front();
        Some((index, marked || self.is_spoilt(index)))
    }

    fn is_spoilt(&self, index: usize) -> bool {
        let keyframe = self.good_keyframes.range(..=index).next_back();
        let first = keyframe.map_or(0, |&keyframe| self.order.decoded_as(keyframe));
        let before = self.order.decoded_as(index);
        let last_failure = if first < before { self.failed.range(first..before).next_back() } else { None };
        let time = self.order.times[index];
        last_failure.is_some_and(|(_, &failed)| {
            time.saturating_sub(failed).nanos().unsigned_abs() <= HEALING_TIME.nanos().unsigned_abs()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten frames a second; every fourth is a keyframe; each group is decoded in the order 0, 3, 1, 2.
    fn tracker() -> DamageTracker {
        let place = |index: u32| index / 4 * 4 + [0, 2, 3, 1][(index % 4) as usize];
        DamageTracker::new(FrameOrder {
            times: (0..400).map(|index| MediaTime::from_nanos(index * 100_000_000)).collect(),
            keyframes: Arc::new([0, 4, 8]),
            decode_order: (0..400).map(place).collect(),
        })
    }

    fn verdicts(tracker: &mut DamageTracker, ended: bool) -> Vec<(usize, bool)> {
        std::iter::from_fn(|| tracker.next_verdict(ended)).collect()
    }

    #[test]
    fn without_errors_every_frame_is_judged_at_once() {
        let mut tracker = tracker();
        for index in [0, 1, 3, 4] {
            tracker.decoded(index, false);
            assert_eq!(verdicts(&mut tracker, false), [(index, false)]);
        }
    }

    #[test]
    fn a_missing_frame_spoils_what_was_decoded_after_it_even_if_shown_before() {
        let mut tracker = tracker();
        tracker.error();
        tracker.decoded(0, false);
        tracker.decoded(1, false);
        assert_eq!(verdicts(&mut tracker, false), [(0, false)], "frame 1 waits for the fate of frame 3");
        tracker.decoded(2, false);
        tracker.decoded(4, false);
        assert_eq!(verdicts(&mut tracker, false), [(1, true), (2, true), (4, false)]);
    }

    #[test]
    fn a_failure_spares_what_was_decoded_before_it() {
        let mut tracker = tracker();
        tracker.error();
        for index in [0, 1, 3, 4] {
            tracker.decoded(index, false);
        }
        assert_eq!(verdicts(&mut tracker, true), [(0, false), (1, false), (3, false), (4, false)]);
    }

    #[test]
    fn a_lost_keyframe_spoils_its_whole_group() {
        let mut tracker = tracker();
        tracker.error();
        for index in [0, 1, 2, 3, 5, 6, 7, 8, 9] {
            tracker.decoded(index, false);
        }
        let damaged: Vec<usize> = verdicts(&mut tracker, true)
            .into_iter()
            .filter(|verdict| verdict.1)
            .map(|verdict| verdict.0)
            .collect();
        assert_eq!(damaged, [5, 6, 7]);
    }

    #[test]
    fn a_marked_frame_is_damaged_and_so_is_what_follows_up_to_the_next_keyframe() {
        let mut tracker = tracker();
        for (index, marked) in [(0, true), (1, false), (2, false), (3, false), (4, false), (5, false)] {
            tracker.decoded(index, marked);
        }
        let verdicts = verdicts(&mut tracker, true);
        assert_eq!(verdicts, [(0, true), (1, true), (2, true), (3, true), (4, false), (5, false)]);
    }

    #[test]
    fn without_further_keyframes_damage_ends_in_time() {
        let mut tracker = tracker();
        (20..300).for_each(|index| tracker.decoded(index, index == 20));
        let verdicts = verdicts(&mut tracker, true);
        assert_eq!(verdicts[100], (120, true));
        assert_eq!(verdicts[101], (121, false));
    }
}
