//! The plan of one video: what is seen when. Pure: seed and settings in, no pictures, no files.

use crate::Result;
use crate::card::{Card, Colour, Shape};
use crate::draw::tilted_bounds;
use crate::footage::Footage;
use crate::frame_rate::FrameRate;
use crate::random::Random;
use crate::settings::{Range, WorldSettings};
use serde::{Deserialize, Serialize};

/// Footage between two cuts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// What is seen.
    pub footage: Footage,
    /// Its look follows from this.
    pub seed: u64,
    /// Moving shapes that are no cards.
    pub distractors: u32,
    /// Index of its first frame.
    pub first_frame: u64,
    /// Index of its last frame.
    pub last_frame: u64,
}

/// A card, where and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownCard {
    /// What it shows.
    #[serde(flatten)]
    pub card: Card,
    /// Middle of the plate: pixels from the left and from the top.
    pub centre: [f64; 2],
    /// Width and height of the plate before it is tilted, in pixels.
    pub size: [f64; 2],
    /// Clockwise.
    pub tilt_degrees: f64,
    /// Index of the first frame that shows it.
    pub first_frame: u64,
    /// Index of the last frame that shows it.
    pub last_frame: u64,
    /// When the first frame with it is shown.
    pub from_secs: f64,
    /// When the first frame without it is shown, or the video ends.
    pub to_secs: f64,
}

impl ShownCard {
    /// Whether a frame shows it.
    pub fn shows_in(&self, frame: u64) -> bool {
        (self.first_frame..=self.last_frame).contains(&frame)
    }
}

/// The plan of one video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoScript {
    /// What it was planned from.
    pub seed: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Constant.
    pub frame_rate: FrameRate,
    /// How many frames.
    pub frames: u64,
    /// Frames over frame rate.
    pub duration_secs: f64,
    /// In order, without holes.
    pub segments: Vec<Segment>,
    /// In order; never two at once.
    pub cards: Vec<ShownCard>,
}

impl VideoScript {
    /// Plans a video whose length is drawn from `settings.duration_secs`.
    ///
    /// # Errors
    /// Settings that cannot be meant ([`WorldSettings::check`]).
    pub fn new(seed: u64, settings: &WorldSettings) -> Result<Self> {
        settings.check()?;
        let mut random = Random::new(seed, "video", 0);
        let frame_rate = random.pick(&settings.frame_rates).copied().unwrap_or(FrameRate::new(10, 1));
        // Even on a logarithmic scale, so that short and long ones are met alike.
        let Range { min, max } = settings.duration_secs;
        let duration = (random.between(min.ln(), max.ln()).exp()).clamp(min, max);
        let frames = frame_rate.frames_in(duration).max(1);
        let size = random.pick(&settings.sizes).copied().unwrap_or_default();
        let mut script = Self {
            seed,
            width: size.width(),
            height: size.height(),
            frame_rate,
            frames,
            duration_secs: frame_rate.time_secs(frames),
            segments: Vec::new(),
            cards: Vec::new(),
        };
        script.segments = script.plan_segments(settings);
        script.cards = script.plan_cards(settings);
        Ok(script)
    }

    fn plan_segments(&self, settings: &WorldSettings) -> Vec<Segment> {
        let mut random = Random::new(self.seed, "segments", 0);
        let kinds = if settings.footage.is_empty() { Footage::ALL } else { &settings.footage };
        let mut segments: Vec<Segment> = Vec::new();
        let mut first_frame = 0;
        while first_frame < self.frames {
            let secs = random.between(settings.segment_secs.min, settings.segment_secs.max);
            let end = (first_frame + self.frame_rate.frames_in(secs).max(1)).min(self.frames);
            let others: Vec<Footage> = kinds
                .iter()
                .copied()
                .filter(|&kind| segments.last().is_none_or(|last| last.footage != kind))
                .collect();
            let footage = random.pick(&others).or(kinds.first()).copied().unwrap_or(Footage::Clouds);
            let distractors = settings.distractors.map(u64::from);
            let many = if footage == Footage::Shapes { 6 } else { 0 };
            segments.push(Segment {
                footage,
                seed: random.bits(),
                distractors: many + random.within(distractors.min, distractors.max) as u32,
                first_frame,
                last_frame: end - 1,
            });
            first_frame = end;
        }
        segments
    }

    fn plan_cards(&self, settings: &WorldSettings) -> Vec<ShownCard> {
        let mut random = Random::new(self.seed, "cards", 0);
        let times = self.plan_times(settings, &mut random);
        let cards = draw_cards(times.len(), settings, &mut random);
        let frame = [f64::from(self.width), f64::from(self.height)];
        let show = |((first_frame, last_frame), card)| {
            let (size, tilt_degrees) = draw_size(frame, settings, &mut random);
            let bounds = tilted_bounds(size, tilt_degrees);
            let centre = [0, 1].map(|i| {
                let room = ((frame[i] - bounds[i]) / 2.0 - 1.0).max(0.0);
                (frame[i] / 2.0 + random.between(-room, room)).round()
            });
            ShownCard {
                card,
                centre,
                size,
                tilt_degrees,
                first_frame,
                last_frame,
                from_secs: self.frame_rate.time_secs(first_frame),
                to_secs: self.frame_rate.time_secs(last_frame + 1),
            }
        };
        times.into_iter().zip(cards).map(show).collect()
    }

    /// First and last frames of the cards: random lengths, and what is left over shared out at random as pauses.
    fn plan_times(&self, settings: &WorldSettings, random: &mut Random) -> Vec<(u64, u64)> {
        if settings.cards.max == 0 {
            return Vec::new();
        }
        let frames_in = |secs: f64| self.frame_rate.frames_in(secs);
        let gap = frames_in(settings.gap_secs);
        let least_secs = settings.card_min_share * self.duration_secs;
        let shortest = frames_in(settings.card_secs.min.max(least_secs)).max(1);
        let fit = self.frames.saturating_sub(gap) / (shortest + gap);
        let wanted = random.within(u64::from(settings.cards.min), u64::from(settings.cards.max));
        let count = wanted.min(fit);
        if count == 0 {
            return Vec::new();
        }
        let room = (self.frames - (count + 1) * gap) / count;
        let longest = frames_in(settings.card_secs.max.max(least_secs)).clamp(shortest, room.max(shortest));
        let lengths: Vec<u64> = (0..count).map(|_| random.within(shortest, longest)).collect();
        let spare = self.frames - (count + 1) * gap - lengths.iter().sum::<u64>();
        let mut pauses: Vec<u64> = (0..count).map(|_| random.within(0, spare)).collect();
        pauses.sort_unstable();
        let mut used = 0;
        let place = |(i, (length, pause)): (usize, (&u64, &u64))| {
            let first = pause + used + gap * (i as u64 + 1);
            used += length;
            (first, first + length - 1)
        };
        lengths.iter().zip(&pauses).enumerate().map(place).collect()
    }
}

/// A plate's width and height, and its tilt, such that the tilted plate fits the frame.
fn draw_size(frame: [f64; 2], settings: &WorldSettings, random: &mut Random) -> ([f64; 2], f64) {
    let aspect = settings.stage.aspect();
    // Hundredths are enough, and are written and read without loss.
    let hundredths = |value: f64| (value * 100.0).trunc() / 100.0;
    let tilt = hundredths(random.between(-settings.tilt_degrees, settings.tilt_degrees));
    let height =
        random.between(settings.card_size.min, settings.card_size.max) * frame[1].min(frame[0] / aspect);
    let bounds = tilted_bounds([height * aspect, height], tilt);
    let fit = ((frame[0] - 2.0) / bounds[0]).min((frame[1] - 2.0) / bounds[1]).min(1.0);
    ([height * aspect * fit, height * fit].map(hundredths), tilt)
}

/// No two share a number or a coloured shape. One shape comes up to six times, to be counted.
fn draw_cards(count: usize, settings: &WorldSettings, random: &mut Random) -> Vec<Card> {
    let mut numbers: Vec<u8> = settings.stage.numbers().collect();
    random.shuffle(&mut numbers);
    let mut pairs: Vec<(Shape, Colour)> =
        Shape::ALL.iter().flat_map(|&shape| Colour::ALL.iter().map(move |&colour| (shape, colour))).collect();
    random.shuffle(&mut pairs);
    let often = random.within(1, count.clamp(1, 6) as u64) as usize;
    let repeated = pairs.first().map(|&(shape, _)| shape);
    let (same, other): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|&(shape, _)| Some(shape) == repeated);
    let mut chosen: Vec<_> = same.into_iter().take(often).chain(other).take(count).collect();
    random.shuffle(&mut chosen);
    let card = |((shape, shape_colour), number): ((Shape, Colour), u8)| {
        let plates: Vec<Colour> =
            Colour::ALL.iter().copied().filter(|&plate| shape_colour.readable_on(plate)).collect();
        let plate = random.pick(&plates).copied().unwrap_or(shape_colour.ink());
        Card { plate, shape, shape_colour, number }
    };
    chosen.into_iter().zip(numbers).map(card).collect()
}
