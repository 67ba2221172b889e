//! What is to be made. Every field is one flag of `longsight world`.

use crate::card::Stage;
use crate::encode::Codec;
use crate::footage::Footage;
use crate::frame_rate::FrameRate;
use crate::frame_size::FrameSize;
use crate::layout::Layout;
use crate::questions::QuestionKind;
use crate::{Result, WorldError};
use serde::{Deserialize, Serialize};

/// From the first to the second value, both included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range<T> {
    /// The least.
    pub min: T,
    /// The greatest.
    pub max: T,
}

impl<T> Range<T> {
    /// From `min` to `max`.
    pub const fn new(min: T, max: T) -> Self {
        Self { min, max }
    }
}

/// A world: how many videos, what they look like, what is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldSettings {
    /// Everything follows from it; other seeds give other worlds.
    pub seed: u64,
    /// How many videos.
    pub videos: u32,
    /// The folder's form.
    pub layout: Layout,
    /// Length of the videos in seconds, 1 to 7,200. Benchmarks with length groups spread over it.
    pub duration_secs: Range<f64>,
    /// Drawn for each video; empty: all that the installed ffmpeg has.
    pub codecs: Vec<Codec>,
    /// Drawn for each video.
    pub frame_rates: Vec<FrameRate>,
    /// Drawn for each video.
    pub sizes: Vec<FrameSize>,
    /// What is seen between and behind the cards; empty: everything that the installed ffmpeg can make.
    pub footage: Vec<Footage>,
    /// Length of a piece of footage between two cuts, in seconds.
    pub segment_secs: Range<f64>,
    /// Moving shapes without plate and number, on any footage.
    pub distractors: Range<u32>,
    /// Cards a video.
    pub cards: Range<u32>,
    /// How long a card shows, in seconds.
    pub card_secs: Range<f64>,
    /// A card shows for at least this share of its video, so that few sampled frames still meet it; wins over `card_secs`.
    pub card_min_share: f64,
    /// Least pause between two cards, and before the first and after the last, in seconds.
    pub gap_secs: f64,
    /// Size of a card: 1 is the largest that fits the frame, upright. Legible at 126 pixels from about 0.4 on.
    pub card_size: Range<f64>,
    /// Cards are tilted by at most this, either way; at most 25, or 6 and 9 grow alike.
    pub tilt_degrees: f64,
    /// Single digits or two of them.
    pub stage: Stage,
    /// Questions a video; 0: as many as the layout has (plain 12, benchmarks 3).
    pub questions_per_video: u32,
    /// Asked in turn; empty: all of the stage (plain) or all (benchmarks).
    pub kinds: Vec<QuestionKind>,
    /// Videos made at the same time; results do not depend on it. 0: one for two cores.
    #[serde(skip)]
    pub parallel_videos: usize,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            videos: 4,
            layout: Layout::Plain,
            duration_secs: Range::new(20.0, 60.0),
            codecs: Vec::new(),
            frame_rates: vec![FrameRate::new(10, 1)],
            sizes: vec![FrameSize::default()],
            footage: Vec::new(),
            segment_secs: Range::new(3.0, 12.0),
            distractors: Range::new(0, 3),
            cards: Range::new(4, 8),
            card_secs: Range::new(1.5, 3.0),
            card_min_share: 0.02,
            gap_secs: 0.5,
            card_size: Range::new(0.45, 0.75),
            tilt_degrees: 20.0,
            stage: Stage::One,
            questions_per_video: 0,
            kinds: Vec::new(),
            parallel_videos: 0,
        }
    }
}

/// Longest video, in seconds.
pub const MAX_DURATION_SECS: f64 = 7200.0;

impl WorldSettings {
    /// Refuses what cannot be made, in one line.
    ///
    /// # Errors
    /// `Setting`, naming the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        check(self.videos > 0 && self.videos <= 100_000, || {
            format!("videos: {}, must be 1 to 100,000", self.videos)
        })?;
        in_range("duration_secs", self.duration_secs, 1.0, MAX_DURATION_SECS)?;
        check(!self.sizes.is_empty(), || "sizes: none given".into())?;
        check(!self.frame_rates.is_empty(), || "frame_rates: none given".into())?;
        in_range("segment_secs", self.segment_secs, 0.5, MAX_DURATION_SECS)?;
        in_range("distractors", self.distractors.map(f64::from), 0.0, 20.0)?;
        check(self.questions_per_video <= 200, || {
            format!("questions_per_video: {}, at most 200", self.questions_per_video)
        })?;
        self.check_cards()
    }

    fn check_cards(&self) -> Result<()> {
        in_range("cards", self.cards.map(f64::from), 0.0, f64::from(self.stage.max_cards()))
            .map_err(|error| WorldError::setting(format!("{error} in stage {}", self.stage)))?;
        in_range("card_secs", self.card_secs, 0.05, MAX_DURATION_SECS)?;
        in_range("card_size", self.card_size, 0.1, 1.0)?;
        for (name, value, max) in [
            ("gap_secs", self.gap_secs, MAX_DURATION_SECS),
            ("card_min_share", self.card_min_share, 1.0),
            ("tilt_degrees", self.tilt_degrees, 25.0),
        ] {
            check((0.0..=max).contains(&value), || format!("{name}: {value}, must be 0 to {max}"))?;
        }
        let shortest = self.duration_secs.min;
        let cards = f64::from(self.cards.min);
        let shown = cards * self.card_secs.min.max(self.card_min_share * shortest);
        let needed = shown + (cards + 1.0) * self.gap_secs;
        check(self.cards.max == 0 || needed <= shortest, || {
            format!(
                "cards: {} of {} s with pauses of {} s take {needed:.1} s, longer than the shortest video \
                 ({shortest} s); show fewer or shorter cards",
                self.cards.min, self.card_secs.min, self.gap_secs
            )
        })
    }
}

impl<T> Range<T> {
    pub(crate) fn map<U>(self, change: impl Fn(T) -> U) -> Range<U> {
        Range { min: change(self.min), max: change(self.max) }
    }
}

fn check(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(WorldError::Setting(message())) }
}

fn in_range(name: &str, Range { min, max }: Range<f64>, least: f64, most: f64) -> Result<()> {
    check(least <= min && min <= max && max <= most, || {
        format!("{name}: {min} to {max}, must be a range within {least} to {most}")
    })
}
