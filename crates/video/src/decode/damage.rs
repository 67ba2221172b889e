//! Which of the decoded frames can be trusted.
//!
//! ffmpeg marks a frame of which it had to guess a part, and leaves out one that it cannot decode at all; but what is
//! predicted from either comes without complaint and with wrong pixels. So a frame counts as spoilt if a frame of its
//! group that was decoded before it (in the file's order, not in time) failed: with reordering, that one may be shown
//! after it. Without any error from ffmpeg, a missing frame means no damage: some streams hold packets that are never
//! shown.
//!
//! While frames are decoded every failed frame is taken for one that others are predicted from. Where that spoils
//! frames, [`judge`] looks closer, with what ffmpeg decodes of the references alone.

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

    fn is_keyframe(&self, index: usize) -> bool {
        self.keyframes.binary_search(&index).is_ok()
    }

    /// The last frame in time among those decoded before this one. When it has passed, all that this frame may be
    /// predicted from has been shown or has failed.
    pub(super) fn settled_by(&self, index: usize) -> usize {
        let end = (index + 1 + MAX_REORDERING).min(self.times.len());
        let decoded = self.decoded_as(index);
        (index + 1..end).rev().find(|&later| self.decoded_as(later) < decoded).unwrap_or(index)
    }
}

/// What failed so far, and where decoding began anew.
#[derive(Default)]
struct Failures {
    good_keyframes: BTreeSet<usize>,
    /// Index and time of each, by its place in the file.
    failed: BTreeMap<u64, (usize, MediaTime)>,
}

impl Failures {
    fn add(&mut self, order: &FrameOrder, index: usize) {
        self.failed.insert(order.decoded_as(index), (index, order.times[index]));
    }

    /// The last frame that failed before this one was decoded, within its group.
    fn before(&self, order: &FrameOrder, index: usize) -> Option<usize> {
        let keyframe = self.good_keyframes.range(..=index).next_back();
        let first = keyframe.map_or(0, |&keyframe| order.decoded_as(keyframe));
        let end = order.decoded_as(index);
        let last = if first < end { self.failed.range(first..end).next_back() } else { None };
        let (_, &(failed, failed_time)) = last?;
        let passed = order.times[index].saturating_sub(failed_time).nanos().unsigned_abs();
        (passed <= HEALING_TIME.nanos().unsigned_abs()).then_some(failed)
    }

    /// Whether the last keyframe at or before a frame is among what failed.
    fn lost_keyframe(&self, order: &FrameOrder, index: usize) -> bool {
        let next = order.keyframes.partition_point(|&keyframe| keyframe <= index);
        let keyframe = next.checked_sub(1).map(|position| order.keyframes[position]);
        keyframe.is_some_and(|keyframe| self.failed.contains_key(&order.decoded_as(keyframe)))
    }
}

/// Follows one run of ffmpeg, frame by frame.
pub(super) struct DamageTracker {
    order: FrameOrder,
    /// Decoded, but not yet judged.
    pending: VecDeque<DecodedFrame>,
    last_index: Option<usize>,
    failures: Failures,
    errors: bool,
}

/// A frame that ffmpeg gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecodedFrame {
    pub(super) index: usize,
    /// ffmpeg says that it had to guess a part.
    pub(super) marked: bool,
}

impl DamageTracker {
    pub(super) fn new(order: FrameOrder) -> Self {
        Self {
            order,
            pending: VecDeque::new(),
            last_index: None,
            failures: Failures::default(),
            errors: false,
        }
    }

    /// ffmpeg reported an error of any kind.
    pub(super) fn error(&mut self) {
        self.errors = true;
    }

    /// Whether it did.
    pub(super) fn has_errors(&self) -> bool {
        self.errors
    }

    /// A frame was decoded.
    pub(super) fn decoded(&mut self, frame: DecodedFrame) {
        let DecodedFrame { index, marked } = frame;
        let expected = self.last_index.map_or(index, |last| last + 1);
        self.last_index = Some(index);
        if self.errors {
            (expected..index).for_each(|missing| self.failures.add(&self.order, missing));
        }
        if marked {
            self.failures.add(&self.order, index);
        } else if self.order.is_keyframe(index) {
            self.failures.good_keyframes.insert(index);
        }
        self.pending.push_back(frame);
    }

    /// The next frame that can be judged, and whether it is damaged. `ended`: no frames will follow.
    pub(super) fn next_verdict(&mut self, ended: bool) -> Option<(usize, bool)> {
        let &DecodedFrame { index, marked } = self.pending.front()?;
        let settled = ended || !self.errors || self.last_index >= Some(self.order.settled_by(index));
        if !settled {
            return None;
        }
        self.pending.pop_front();
        Some((index, marked || self.failures.before(&self.order, index).is_some()))
    }
}

/// What a run of ffmpeg decoded that put no pixels out.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) frames: Vec<DecodedFrame>,
    /// ffmpeg reported errors.
    pub(super) errors: bool,
}

impl Listing {
    /// Frames that are marked, or missing between others where there were errors.
    fn failures(&self) -> BTreeSet<usize> {
        let marked = self.frames.iter().filter(|frame| frame.marked).map(|frame| frame.index);
        let gaps = self.frames.windows(2).filter(|_| self.errors);
        gaps.flat_map(|pair| pair[0].index + 1..pair[1].index).chain(marked).collect()
    }
}

/// How far a decoded frame can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// Predicted, maybe by others in between, from a frame that failed.
    AfterDamage,
    /// The group's keyframe failed, so that nothing of it is certain.
    AfterLostKeyframe,
}

/// Health of every frame of a listing that ffmpeg did not mark. `references` lists the same stretch without the frames that
/// no other is predicted from; without it, every frame may be one.
pub(super) fn judge(order: &FrameOrder, all: &Listing, references: Option<&Listing>) -> Vec<(usize, Health)> {
    let mut failures = Failures::default();
    for index in all.failures() {
        if references.is_none_or(|references| may_be_reference(index, references)) {
            failures.add(order, index);
        }
    }
    let whole = || all.frames.iter().filter(|frame| !frame.marked).map(|frame| frame.index);
    failures.good_keyframes = whole().filter(|&index| order.is_keyframe(index)).collect();
    let health = |index| match failures.before(order, index) {
        None => Health::Good,
        Some(_) if failures.lost_keyframe(order, index) => Health::AfterLostKeyframe,
        Some(_) => Health::AfterDamage,
    };
    whole().map(|index| (index, health(index))).collect()
}

/// A frame that failed is no reference if it is skipped with those that are none, and the references decode without error.
fn may_be_reference(index: usize, references: &Listing) -> bool {
    references.errors || references.frames.iter().any(|frame| frame.index == index)
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
            tracker.decoded(DecodedFrame { index, marked: false });
            assert_eq!(verdicts(&mut tracker, false), [(index, false)]);
        }
    }

    #[test]
    fn a_missing_frame_spoils_what_was_decoded_after_it_even_if_shown_before() {
        let mut tracker = tracker();
        tracker.error();
        tracker.decoded(DecodedFrame { index: 0, marked: false });
        tracker.decoded(DecodedFrame { index: 1, marked: false });
        assert_eq!(verdicts(&mut tracker, false), [(0, false)], "frame 1 waits for the fate of frame 3");
        tracker.decoded(DecodedFrame { index: 2, marked: false });
        tracker.decoded(DecodedFrame { index: 4, marked: false });
        assert_eq!(verdicts(&mut tracker, false), [(1, true), (2, true), (4, false)]);
    }

    #[test]
    fn a_failure_spares_what_was_decoded_before_it() {
        let mut tracker = tracker();
        tracker.error();
        for index in [0, 1, 3, 4] {
            tracker.decoded(DecodedFrame { index, marked: false });
        }
        assert_eq!(verdicts(&mut tracker, true), [(0, false), (1, false), (3, false), (4, false)]);
    }

    #[test]
    fn a_lost_keyframe_spoils_its_whole_group() {
        let mut tracker = tracker();
        tracker.error();
        for index in [0, 1, 2, 3, 5, 6, 7, 8, 9] {
            tracker.decoded(DecodedFrame { index, marked: false });
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
            tracker.decoded(DecodedFrame { index, marked });
        }
        let verdicts = verdicts(&mut tracker, true);
        assert_eq!(verdicts, [(0, true), (1, true), (2, true), (3, true), (4, false), (5, false)]);
    }

    #[test]
    fn without_further_keyframes_damage_ends_in_time() {
        let mut tracker = tracker();
        (20..300).for_each(|index| tracker.decoded(DecodedFrame { index, marked: index == 20 }));
        let verdicts = verdicts(&mut tracker, true);
        assert_eq!(verdicts[100], (120, true));
        assert_eq!(verdicts[101], (121, false));
    }

    /// Frames 0 to 11, without some, some marked.
    fn listing(missing: &[usize], marked: &[usize]) -> Listing {
        let frames = (0..12).filter(|index| !missing.contains(index));
        let frames = frames.map(|index| DecodedFrame { index, marked: marked.contains(&index) }).collect();
        Listing { frames, errors: !missing.is_empty() || !marked.is_empty() }
    }

    fn unlike_good(health: &[(usize, Health)]) -> Vec<(usize, Health)> {
        health.iter().copied().filter(|(_, health)| *health != Health::Good).collect()
    }

    #[test]
    fn a_failed_frame_that_no_other_refers_to_costs_itself_alone() {
        let order = tracker().order;
        let references = || Listing { frames: listing(&[1, 2, 5, 6, 9, 10], &[]).frames, errors: false };
        for all in [listing(&[5], &[]), listing(&[], &[5])] {
            let health = judge(&order, &all, Some(&references()));
            assert_eq!((health.len(), unlike_good(&health)), (11, vec![]));
            assert_eq!(
                unlike_good(&judge(&order, &all, None)),
                [(6, Health::AfterDamage)],
                "decoded after it"
            );
        }
    }

    #[test]
    fn a_failed_reference_costs_what_is_decoded_after_it_in_its_group() {
        let order = tracker().order;
        let all = listing(&[], &[7]);
        let references = Listing { frames: listing(&[1, 2, 5, 6, 9, 10], &[7]).frames, errors: true };
        let after = |index| (index, Health::AfterDamage);
        assert_eq!(unlike_good(&judge(&order, &all, Some(&references))), [after(5), after(6)]);
        let lost = |index| (index, Health::AfterLostKeyframe);
        let all = listing(&[4], &[]);
        let references = Listing { frames: listing(&[1, 2, 4, 5, 6, 9, 10], &[]).frames, errors: true };
        assert_eq!(unlike_good(&judge(&order, &all, Some(&references))), [lost(5), lost(6), lost(7)]);
    }
}
