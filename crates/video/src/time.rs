use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::VideoError;

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// A presentation time in the original video's clock: what a player shows, 0 at the container's start.
///
/// Kept in whole nanoseconds, so that times compare and hash exactly. Serialised as seconds. May be negative: a
/// stream may begin before the container's declared start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The start of the video.
    pub const ZERO: Self = Self(0);

    /// From whole nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds, rounded to the nanosecond. NaN becomes 0; what does not fit is clamped.
    pub fn from_secs(secs: f64) -> Self {
        Self((secs * NANOS_PER_SEC as f64).round() as i64)
    }

    /// `ticks` of a clock of `numerator / denominator` seconds a tick, rounded to the nanosecond.
    pub(crate) fn from_ticks(ticks: i64, time_base: TimeBase) -> Self {
        let scaled = i128::from(ticks) * i128::from(time_base.numerator) * i128::from(NANOS_PER_SEC);
        let denominator = i128::from(time_base.denominator);
        let rounded = (scaled + denominator / 2).div_euclid(denominator);
        Self(i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Seconds.
    pub fn secs(self) -> f64 {
        self.0 as f64 / NANOS_PER_SEC as f64
    }

    /// Whole nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// `self - other`, clamped to what fits.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self + other`, clamped to what fits.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// A stream's clock: seconds a tick as a fraction; both parts are positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeBase {
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

impl TimeBase {
    /// From ffprobe's `1/12800`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (numerator, denominator) = text.split_once('/')?;
        let parsed = Self { numerator: numerator.parse().ok()?, denominator: denominator.parse().ok()? };
        (parsed.numerator > 0 && parsed.denominator > 0).then_some(parsed)
    }

    /// Whole ticks in a number of seconds.
    pub(crate) fn ticks(self, secs: f64) -> i64 {
        (secs * f64::from(self.denominator) / f64::from(self.numerator)) as i64
    }
}

impl fmt::Display for MediaTime {
    /// `H:MM:SS.mmm`, rounded to the millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (self.0.unsigned_abs() + 500_000) / 1_000_000;
        let sign = if self.0 < 0 && millis > 0 { "-" } else { "" };
        let (secs, millis) = (millis / 1000, millis % 1000);
        let text = format!("{sign}{}:{:02}:{:02}.{millis:03}", secs / 3600, secs / 60 % 60, secs % 60);
        f.pad(&text)
    }
}

impl FromStr for MediaTime {
    type Err = VideoError;

    /// `90`, `90.5`, `1:30`, `01:02:03.5`: not negative; with colons, minutes and seconds are below 60.
    fn from_str(text: &str) -> Result<Self, VideoError> {
        parse_clock(text.trim()).map(Self).ok_or_else(|| VideoError::BadTime { text: text.to_owned() })
    }
}

fn parse_clock(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.rsplitn(3, ':').map(parse_digits);
    let seconds = parts.next()??;
    let (minutes, hours) = (parts.next(), parts.next());
    // A part that has a larger one before it stays below 60.
    if (minutes.is_some() && seconds >= 60) || (hours.is_some() && minutes? >= Some(60)) {
        return None;
    }
    let minutes = hours.unwrap_or(Some(0))?.checked_mul(60)?.checked_add(minutes.unwrap_or(Some(0))?)?;
    let seconds = minutes.checked_mul(60)?.checked_add(seconds)?;
    seconds.checked_mul(NANOS_PER_SEC)?.checked_add(parse_fraction(fraction)?)
}

fn parse_digits(text: &str) -> Option<i64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits_only.then(|| text.parse().ok())?
}

/// The digits after the point as nanoseconds; digits beyond the ninth are dropped.
fn parse_fraction(text: &str) -> Option<i64> {
    parse_digits(text.get(..text.len().min(18))?)?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: String = text.chars().chain(std::iter::repeat('0')).take(9).collect();
    nanos.parse().ok()
}

impl Serialize for MediaTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.secs())
    }
}

impl<'de> Deserialize<'de> for MediaTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(text: &str) -> Option<f64> {
        text.parse::<MediaTime>().ok().map(MediaTime::secs)
    }

    #[test]
    fn parses_what_people_type() {
        for (text, expected) in [
            ("90", 90.0),
            ("90.5", 90.5),
            ("1:30", 90.0),
            ("01:02:03.5", 3723.5),
            ("100:00", 6000.0),
            ("0", 0.0),
            (" 7.25 ", 7.25),
            ("0.123456789123", 0.123456789),
        ] {
            assert_eq!(secs(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for text in [
            "",
            "-1",
            "1:60",
            "1:60:00",
            "1:2:3:4",
            "a",
            "1:",
            ":1",
            "1e3",
            "inf",
            "nan",
            "+3",
            ".5",
            "5.",
            "1.2.3",
            "99999999999999999999",
            "9223372037",
            "٣",
            "0.é",
            "1.0000000000000000000000x",
        ] {
            assert_eq!(secs(text), None, "{text}");
        }
    }

    #[test]
    fn displays_hours_minutes_seconds_millis() {
        assert_eq!(MediaTime::from_secs(3723.0456).to_string(), "1:02:03.046");
        assert_eq!(MediaTime::from_secs(59.9996).to_string(), "0:01:00.000");
        assert_eq!(MediaTime::from_secs(-0.08).to_string(), "-0:00:00.080");
        assert_eq!(MediaTime::from_nanos(-1).to_string(), "0:00:00.000");
        assert_eq!(MediaTime::from_nanos(i64::MIN).to_string(), "-2562047:47:16.855");
    }

    #[test]
    fn ticks_are_exact_to_the_nanosecond_and_clamped() {
        let ntsc = TimeBase::parse("1001/30000").unwrap();
        assert_eq!(MediaTime::from_ticks(30, ntsc).nanos(), 1_001_000_000);
        assert_eq!(MediaTime::from_ticks(-1, ntsc).nanos(), -33_366_667);
        let whole = TimeBase::parse("4000000000/1").unwrap();
        assert_eq!(MediaTime::from_ticks(i64::MAX, whole).nanos(), i64::MAX);
        assert_eq!(MediaTime::from_ticks(i64::MIN, whole).nanos(), i64::MIN);
        assert!(TimeBase::parse("1/0").is_none() && TimeBase::parse("0/1").is_none());
    }
}
