//! ffmpeg's log of one run, read as it comes: which frames were decoded, and which of them are damaged.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::FrameKey;
use super::damage::{DamageTracker, DecodedFrame, FrameOrder, Listing};
use crate::process::{LogSink, LogTail};
use crate::time::TimeBase;

/// A frame that was decoded and is output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedFrame {
    pub(super) key: i64,
    /// Some of it was guessed, or predicted from what was.
    pub(super) damaged: bool,
}

/// What a run's log is read against.
#[derive(Clone)]
pub(super) struct Expected {
    pub(super) key: FrameKey,
    /// Keys of the frames that are output, sorted; empty: the log lists all decoded frames instead.
    pub(super) wanted: Vec<i64>,
    pub(super) time_base: TimeBase,
    /// Ticks of all frames; `None` if they are only counted.
    pub(super) ticks: Option<Arc<[i64]>>,
    pub(super) order: FrameOrder,
    /// The stream's clock jumps, and a filter that follows it must not begin anew.
    pub(super) clock_jumps: bool,
}

/// What the log says of the next output frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextOutput {
    Frame(LoggedFrame),
    /// Not logged yet, or not yet to be judged.
    Wait,
    /// The log has ended without it.
    Ended,
}

struct State {
    expected: Expected,
    damage: DamageTracker,
    decoded: i64,
    filter_count: i64,
    first_key: Option<i64>,
    output: VecDeque<LoggedFrame>,
    /// All decoded frames, where the run is a listing.
    listed: Option<Vec<DecodedFrame>>,
    next_is_marked: bool,
    failure: Option<&'static str>,
    complaints: LogTail,
    closed: bool,
}

/// Written by the thread that reads ffmpeg's standard error, read by the one that takes its frames.
#[derive(Clone)]
pub(super) struct RunLog {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl RunLog {
    pub(super) fn new(expected: Expected) -> Self {
        let state = State {
            listed: expected.wanted.is_empty().then(Vec::new),
            damage: DamageTracker::new(expected.order.clone()),
            expected,
            decoded: 0,
            filter_count: 0,
            first_key: None,
            output: VecDeque::new(),
            next_is_marked: false,
            failure: None,
            complaints: LogTail::default(),
            closed: false,
        };
        Self { shared: Arc::new((Mutex::new(state), Condvar::new())) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log's entry for the next output frame, after at most `limit`.
    pub(super) fn next_output(&self, limit: Duration) -> Result<NextOutput, &'static str> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(failure) = state.failure {
                return Err(failure);
            }
            if let Some(frame) = state.output.pop_front() {
                return Ok(NextOutput::Frame(frame));
            }
            if state.closed {
                return Ok(NextOutput::Ended);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(NextOutput::Wait);
            }
            let waited = self.shared.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many frames have been decoded.
    pub(super) fn decoded(&self) -> i64 {
        self.lock().decoded
    }

    /// Key of the first decoded frame.
    pub(super) fn first_key(&self) -> Option<i64> {
        self.lock().first_key
    }

    /// The frames of a listing, in the order in which they came.
    pub(super) fn take_listing(&self) -> Listing {
        let mut state = self.lock();
        Listing { frames: state.listed.take().unwrap_or_default(), errors: state.damage.has_errors() }
    }

    /// ffmpeg's last warnings and errors as one line.
    pub(super) fn complaints(&self) -> String {
        self.lock().complaints.summary()
    }
}

impl LogSink for RunLog {
    fn line(&mut self, line: &str) {
        let mut state = self.lock();
        if let Some((count, ticks)) = parse_frame(line) {
            state.frame(count, ticks);
            drop(state);
            self.shared.1.notify_all();
        } else if let Some(time_base) = parse_clock(line) {
            state.clock(time_base);
        } else if line.contains("corrupt decoded frame") {
            state.next_is_marked = true;
        } else if line.contains("[error]") || line.contains("[fatal]") || line.contains("[warning]") {
            // The parser reads frames too that the decoder skips, and speaks without a name.
            if !line.contains("[warning]") && !line.starts_with("[NULL @") {
                state.damage.error();
            }
            state.complaints.push(&strip_level(line));
        }
    }

    fn closed(&mut self) {
        let mut state = self.lock();
        state.closed = true;
        state.judge();
        drop(state);
        self.shared.1.notify_all();
    }
}

impl State {
    /// Times in another clock than the probe's would be compared to no purpose.
    fn clock(&mut self, time_base: TimeBase) {
        if self.expected.key == FrameKey::Ticks && self.expected.time_base != time_base {
            self.failure = Some("ffmpeg and ffprobe give its times in different clocks");
        }
    }

    fn frame(&mut self, count: i64, ticks: Option<i64>) {
        self.check_count(count);
        let marked = std::mem::take(&mut self.next_is_marked);
        let key = match self.expected.key {
            FrameKey::Count => Some(self.decoded),
            FrameKey::Ticks => ticks,
        };
        self.decoded += 1;
        let Some(key) = key else { return };
        self.first_key.get_or_insert(key);
        let index = match &self.expected.ticks {
            Some(ticks) => ticks.binary_search(&key).ok(),
            None => usize::try_from(key).ok().filter(|&index| index < self.expected.order.times.len()),
        };
        let Some(index) = index else { return };
        let frame = DecodedFrame { index, marked };
        match &mut self.listed {
            Some(listed) => listed.push(frame),
            None => {
                self.damage.decoded(frame);
                self.judge();
            }
        }
    }

    fn judge(&mut self) {
        while let Some((index, damaged)) = self.damage.next_verdict(self.closed) {
            let key = self.expected.ticks.as_ref().map_or(index as i64, |ticks| ticks[index]);
            if self.expected.wanted.binary_search(&key).is_ok() {
                self.output.push_back(LoggedFrame { key, damaged });
            }
        }
    }

    /// ffmpeg's filters count their frames, which shows that no line was lost.
    fn check_count(&mut self, count: i64) {
        if count == self.filter_count {
            self.filter_count += 1;
        } else if count == 0 {
            // The stream changed its size or format, and ffmpeg built its filters anew.
            self.filter_count = 1;
            if self.expected.key == FrameKey::Count {
                self.failure =
                    Some("its frames carry no times and change their size: they cannot be told apart");
            } else if self.expected.clock_jumps {
                self.failure =
                    Some("its clock jumps and its frames change their size: they cannot be told apart");
            }
        } else {
            self.failure = Some("ffmpeg's log has gaps");
        }
    }
}

/// `[Parsed_showinfo_0 @ 0x55a5] [info] config in time_base: 1/12800, frame_rate: 25/1` -> 1/12800.
fn parse_clock(line: &str) -> Option<TimeBase> {
    let (_, rest) = line.split_once("] config in time_base: ")?;
    TimeBase::parse(rest.split(',').next()?)
}

/// `... n:   0 pts:  25600 pts_time:2 ...` -> (0, 25600). Found anywhere in a line: another thread's unfinished
/// message may stand before it.
fn parse_frame(line: &str) -> Option<(i64, Option<i64>)> {
    let (before, _) = line.split_once(" pts_time:")?;
    let (before, ticks) = before.rsplit_once("pts:")?;
    let (_, count) = before.rsplit_once("n:")?;
    Some((count.trim().parse().ok()?, ticks.trim().parse().ok()))
}

/// `[h264 @ 0x55d8] [error] message` -> `message`.
fn strip_level(line: &str) -> String {
    let levels = ["[error] ", "[fatal] ", "[warning] "];
    let message = levels.iter().find_map(|level| line.split_once(level)).map_or(line, |(_, message)| message);
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MediaTime;

    const NO_WAIT: Duration = Duration::ZERO;

    /// Ten frames a second from 0, ticks of 1/100 s, a keyframe every 4 frames.
    fn log(key: FrameKey, wanted: &[i64]) -> RunLog {
        RunLog::new(Expected {
            key,
            wanted: wanted.to_vec(),
            time_base: TimeBase { numerator: 1, denominator: 100 },
            ticks: (key == FrameKey::Ticks).then(|| (0..10).map(|index| index * 10).collect()),
            order: FrameOrder {
                times: (0..10).map(|index| MediaTime::from_nanos(index * 100_000_000)).collect(),
                keyframes: Arc::new([0, 4, 8]),
                decode_order: Arc::new([]),
            },
            clock_jumps: false,
        })
    }

    fn outputs(log: &RunLog) -> Vec<(i64, bool)> {
        let next = || match log.next_output(NO_WAIT).unwrap() {
            NextOutput::Frame(frame) => Some((frame.key, frame.damaged)),
            NextOutput::Wait | NextOutput::Ended => None,
        };
        std::iter::from_fn(next).collect()
    }

    fn frame_line(count: i64, ticks: &str) -> String {
        format!(
            "[Parsed_showinfo_0 @ 0x5] [info] n:{count:4} pts:{ticks:>7} pts_time:{:<7} pos: 4 fmt:yuv420p",
            1
        )
    }

    #[test]
    fn frames_are_found_in_glued_lines_and_other_lines_ignored() {
        assert_eq!(parse_frame(&frame_line(3, "-25")), Some((3, Some(-25))));
        assert_eq!(
            parse_frame(&format!("[h264 @ 0x1] half a mess{}", frame_line(12, "7"))),
            Some((12, Some(7)))
        );
        assert_eq!(parse_frame(&frame_line(0, "NOPTS")), Some((0, None)));
        assert_eq!(parse_frame("[Parsed_showinfo_0 @ 0x5] color_range:unknown"), None);
        assert_eq!(parse_frame("title : n: x pts: 3 pts_time:1"), None);
    }

    #[test]
    fn damage_lasts_to_the_next_keyframe() {
        let mut log = log(FrameKey::Ticks, &[0, 20, 30, 40]);
        log.line(&frame_line(0, "0"));
        log.line("[warning] v.mp4: corrupt decoded frame in stream 0");
        for (count, ticks) in [(1, "10"), (2, "20"), (3, "30"), (4, "40")] {
            log.line(&frame_line(count, ticks));
        }
        assert_eq!(outputs(&log), [(0, false), (20, true), (30, true), (40, false)]);
        assert_eq!(log.first_key(), Some(0));
    }

    #[test]
    fn missing_frames_spoil_the_following_ones_only_after_an_error() {
        for (error, spoilt) in [
            ("[warning] odd", false),
            ("[NULL @ 0x5] [error] pps_id 7 out of range", false),
            ("[h264 @ 0x5] [error] Invalid data", true),
        ] {
            let mut log = log(FrameKey::Ticks, &[20, 30, 50]);
            for line in
                [&frame_line(0, "0"), error, &frame_line(1, "20"), &frame_line(2, "30"), &frame_line(3, "40")]
            {
                log.line(line);
            }
            log.line(&frame_line(4, "50"));
            assert_eq!(outputs(&log), [(20, spoilt), (30, spoilt), (50, false)]);
        }
    }

    #[test]
    fn a_listing_holds_all_frames_and_whether_there_were_errors() {
        let mut log = log(FrameKey::Ticks, &[]);
        for line in [
            &frame_line(0, "20"),
            "[warning] corrupt decoded frame",
            &frame_line(1, "30"),
            &frame_line(2, "40"),
        ] {
            log.line(line);
        }
        let listing = log.take_listing();
        let frames: Vec<_> = listing.frames.iter().map(|frame| (frame.index, frame.marked)).collect();
        assert_eq!((frames, listing.errors), (vec![(2, false), (3, true), (4, false)], false));
        assert_eq!(log.next_output(NO_WAIT), Ok(NextOutput::Wait));
        log.closed();
        assert_eq!(log.next_output(NO_WAIT), Ok(NextOutput::Ended));
    }

    #[test]
    fn a_gap_in_the_log_is_an_error_not_a_guess() {
        let mut log = log(FrameKey::Ticks, &[10, 30]);
        log.line(&frame_line(0, "10"));
        log.line(&frame_line(2, "30"));
        assert!(log.next_output(NO_WAIT).is_err());
    }

    #[test]
    fn another_clock_than_the_probes_is_an_error() {
        let mut log = log(FrameKey::Ticks, &[10]);
        log.line("[Parsed_showinfo_0 @ 0x5] [info] config in time_base: 1/100, frame_rate: 25/1");
        log.line(&frame_line(0, "10"));
        assert!(log.next_output(NO_WAIT).is_ok());
        log.line("[Parsed_showinfo_0 @ 0x5] [info] config in time_base: 1/90000, frame_rate: 25/1");
        assert!(log.next_output(NO_WAIT).is_err());
    }

    #[test]
    fn rebuilt_filters_count_anew_but_counted_frames_cannot() {
        let mut ticks = log(FrameKey::Ticks, &[10, 20]);
        ticks.line(&frame_line(0, "10"));
        ticks.line(&frame_line(0, "20"));
        assert_eq!(outputs(&ticks), [(10, false), (20, false)]);
        let mut counted = log(FrameKey::Count, &[0, 1]);
        counted.line(&frame_line(0, "NOPTS"));
        assert_eq!(outputs(&counted), [(0, false)]);
        counted.line(&frame_line(0, "NOPTS"));
        assert!(counted.next_output(NO_WAIT).is_err());
    }
}
