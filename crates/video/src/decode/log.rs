//! ffmpeg's log of one run, read as it comes: which frames were decoded, and which of them are damaged.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::FrameKey;
use crate::process::{LogSink, LogTail};
use crate::time::TimeBase;

/// A frame that was decoded and is output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedFrame {
    pub(super) key: i64,
    /// ffmpeg says that it is damaged (some of it was guessed).
    pub(super) damaged: bool,
}

#[derive(Default)]
struct State {
    wanted: Vec<i64>,
    time_base: Option<TimeBase>,
    decoded: i64,
    filter_count: i64,
    first_key: Option<i64>,
    output: VecDeque<LoggedFrame>,
    /// Keys of all undamaged frames, where the run is a listing.
    good: Option<Vec<i64>>,
    next_is_damaged: bool,
    failure: Option<&'static str>,
    complaints: LogTail,
    closed: bool,
}

/// Written by the thread that reads ffmpeg's standard error, read by the one that takes its frames.
#[derive(Clone)]
pub(super) struct RunLog {
    shared: Arc<(Mutex<State>, Condvar)>,
    key: FrameKey,
}

impl RunLog {
    /// `wanted` is sorted; if it is empty the log lists all good frames instead.
    pub(super) fn new(key: FrameKey, time_base: TimeBase, wanted: Vec<i64>) -> Self {
        let good = wanted.is_empty().then(Vec::new);
        let state = State { good, wanted, time_base: Some(time_base), ..State::default() };
        Self { shared: Arc::new((Mutex::new(state), Condvar::new())), key }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log's entry for the next output frame; `None` if the log ends without it or after `limit`.
    pub(super) fn next_output(&self, limit: Duration) -> Result<Option<LoggedFrame>, &'static str> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(failure) = state.failure {
                return Err(failure);
            }
            if let Some(frame) = state.output.pop_front() {
                return Ok(Some(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                return Ok(None);
            }
            let waited = self.shared.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Key of the first decoded frame.
    pub(super) fn first_key(&self) -> Option<i64> {
        self.lock().first_key
    }

    /// Keys of the good frames of a listing, in the order of decoding.
    pub(super) fn take_good(&self) -> Vec<i64> {
        self.lock().good.take().unwrap_or_default()
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
            state.frame(self.key, count, ticks);
            drop(state);
            self.shared.1.notify_all();
        } else if let Some(time_base) = parse_clock(line) {
            state.clock(self.key, time_base);
        } else if line.contains("corrupt decoded frame") {
            state.next_is_damaged = true;
        } else if line.contains("[error]") || line.contains("[fatal]") || line.contains("[warning]") {
            state.complaints.push(&strip_level(line));
        }
    }

    fn closed(&mut self) {
        self.lock().closed = true;
        self.shared.1.notify_all();
    }
}

impl State {
    /// Times in another clock than the probe's would be compared to no purpose.
    fn clock(&mut self, key: FrameKey, time_base: TimeBase) {
        if key == FrameKey::Ticks && self.time_base != Some(time_base) {
            self.failure = Some("ffmpeg and ffprobe give its times in different clocks");
        }
    }

    fn frame(&mut self, key: FrameKey, count: i64, ticks: Option<i64>) {
        if count == self.filter_count {
            self.filter_count += 1;
        } else if count == 0 {
            // The stream changed its size or format, and ffmpeg built its filters anew.
            self.filter_count = 1;
            if key == FrameKey::Count {
                self.failure =
                    Some("its frames carry no times and change their size: they cannot be told apart");
            }
        } else {
            self.failure = Some("ffmpeg's log has gaps");
        }
        let damaged = std::mem::take(&mut self.next_is_damaged);
        let frame_key = match key {
            FrameKey::Count => Some(self.decoded),
            FrameKey::Ticks => ticks,
        };
        self.decoded += 1;
        let Some(frame_key) = frame_key else { return };
        self.first_key.get_or_insert(frame_key);
        if self.wanted.binary_search(&frame_key).is_ok() {
            self.output.push_back(LoggedFrame { key: frame_key, damaged });
        }
        if let Some(good) = self.good.as_mut().filter(|_| !damaged) {
            good.push(frame_key);
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

    const CLOCK: TimeBase = TimeBase { numerator: 1, denominator: 25 };
    const NO_WAIT: Duration = Duration::ZERO;

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
    fn damage_belongs_to_the_frame_that_follows() {
        let mut log = RunLog::new(FrameKey::Ticks, CLOCK, vec![10, 30]);
        log.line(&frame_line(0, "10"));
        log.line("[warning] v.mp4: corrupt decoded frame in stream 0");
        log.line(&frame_line(1, "20"));
        log.line(&frame_line(2, "30"));
        let outputs: Vec<_> = std::iter::from_fn(|| log.next_output(NO_WAIT).unwrap()).collect();
        assert_eq!(outputs, [10, 30].map(|key| LoggedFrame { key, damaged: false }));
        assert_eq!(log.first_key(), Some(10));
    }

    #[test]
    fn a_gap_in_the_log_is_an_error_not_a_guess() {
        let mut log = RunLog::new(FrameKey::Ticks, CLOCK, vec![10, 30]);
        log.line(&frame_line(0, "10"));
        log.line(&frame_line(2, "30"));
        assert!(log.next_output(NO_WAIT).is_err());
    }

    #[test]
    fn another_clock_than_the_probes_is_an_error() {
        let mut log = RunLog::new(FrameKey::Ticks, CLOCK, vec![10]);
        log.line("[Parsed_showinfo_0 @ 0x5] [info] config in time_base: 1/25, frame_rate: 25/1");
        log.line(&frame_line(0, "10"));
        assert!(log.next_output(NO_WAIT).is_ok());
        log.line("[Parsed_showinfo_0 @ 0x5] [info] config in time_base: 1/90000, frame_rate: 25/1");
        assert!(log.next_output(NO_WAIT).is_err());
    }

    #[test]
    fn rebuilt_filters_count_anew_but_counted_frames_cannot() {
        let mut log = RunLog::new(FrameKey::Ticks, CLOCK, vec![10, 20]);
        log.line(&frame_line(0, "10"));
        log.line(&frame_line(0, "20"));
        assert_eq!(log.next_output(NO_WAIT).unwrap().unwrap().key, 10);
        assert_eq!(log.next_output(NO_WAIT).unwrap().unwrap().key, 20);
        let mut log = RunLog::new(FrameKey::Count, CLOCK, vec![0, 1]);
        log.line(&frame_line(0, "NOPTS"));
        assert_eq!(log.next_output(NO_WAIT).unwrap().unwrap().key, 0);
        log.line(&frame_line(0, "NOPTS"));
        assert!(log.next_output(NO_WAIT).is_err());
    }
}
