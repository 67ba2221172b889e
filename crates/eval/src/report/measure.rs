//! What a run's questions took, gathered in one pass and bounded memory. `measured.json` is a [`Measurements`]; unlike
//! `results.json` it differs between two runs.

use super::quantiles::{Histogram, Quantiles};
use crate::sample::{Measured, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run's questions took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// All measured questions together.
    pub all: Group,
    /// The same by frames in the prompt, in rising order. A group holds the questions between two powers of two of
    /// frames (32 to 63, 64 to 127, ...), so there are few, however long the run.
    pub by_frames: Vec<Group>,
}

/// Questions that are summed up together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Measured questions: those whose video did not fail.
    pub questions: usize,
    /// Those with a known answer.
    pub scored: usize,
    /// Those that were right.
    pub correct: usize,
    /// Frames in the prompt.
    pub frames: Range,
    /// Visual tokens in the prompt.
    pub visual_tokens: Range,
    /// Prompt tokens in all.
    pub prompt_tokens: Range,
    /// s.
    pub scale: Range,
    /// Largest memory of the process in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// Seconds to the first token of questions that had their video decoded, encoded and prefilled.
    pub first_token_secs: Option<Quantiles>,
    /// Seconds to the first token of questions on a video that was in the cache already.
    pub shared_first_token_secs: Option<Quantiles>,
    /// Seconds to the end of the answer, of all questions.
    pub total_secs: Option<Quantiles>,
}

/// Smallest, mean and largest of a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Smallest; 0 for no numbers.
    pub min: f64,
    /// Mean; 0 for no numbers.
    pub mean: f64,
    /// Largest; 0 for no numbers.
    pub max: f64,
}

impl Measurements {
    /// Sums up all records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut meter = Meter::default();
        records.into_iter().for_each(|record| meter.add(record));
        meter.finish()
    }
}

/// Takes records one by one; memory does not grow with their number (at most 64 groups of three [`Histogram`]s).
#[derive(Debug, Clone, Default)]
pub struct Meter {
    all: Sums,
    by_frames: BTreeMap<u32, Sums>,
}

impl Meter {
    /// Adds a record; one without measurements (its video failed) changes nothing.
    pub fn add(&mut self, record: &Record) {
        let Some(measured) = &record.measured else { return };
        self.all.add(record, measured);
        self.by_frames.entry(measured.frames.max(1).ilog2()).or_default().add(record, measured);
    }

    /// The sums so far.
    pub fn finish(&self) -> Measurements {
        Measurements { all: self.all.group(), by_frames: self.by_frames.values().map(Sums::group).collect() }
    }
}

#[derive(Debug, Clone, Default)]
struct Sums {
    questions: usize,
    scored: usize,
    correct: usize,
    frames: RangeSum,
    visual_tokens: RangeSum,
    prompt_tokens: RangeSum,
    scale: RangeSum,
    peak_bytes: Option<u64>,
    first_token_secs: Histogram,
    shared_first_token_secs: Histogram,
    total_secs: Histogram,
}

impl Sums {
    fn add(&mut self, record: &Record, measured: &Measured) {
        self.questions += 1;
        self.scored += usize::from(record.gold.is_some());
        self.correct += usize::from(record.gold.is_some() && record.score > 0.5);
        self.frames.add(measured.frames as f64);
        self.visual_tokens.add(measured.visual_tokens as f64);
        self.prompt_tokens.add(measured.prompt_tokens as f64);
        self.scale.add(measured.scale);
        self.peak_bytes = self.peak_bytes.max(measured.peak_bytes);
        let first_token = if measured.shared_video {
            &mut self.shared_first_token_secs
        } else {
            &mut self.first_token_secs
        };
        first_token.add(measured.first_token_secs);
        self.total_secs.add(measured.total_secs);
    }

    fn group(&self) -> Group {
        Group {
            questions: self.questions,
            scored: self.scored,
            correct: self.correct,
            frames: self.frames.range(),
            visual_tokens: self.visual_tokens.range(),
            prompt_tokens: self.prompt_tokens.range(),
            scale: self.scale.range(),
            peak_bytes: self.peak_bytes,
            first_token_secs: self.first_token_secs.quantiles(),
            shared_first_token_secs: self.shared_first_token_secs.quantiles(),
            total_secs: self.total_secs.quantiles(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct RangeSum {
    count: usize,
    sum: f64,
    min: f64,
    max: f64,
}

impl RangeSum {
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = if self.count == 0 { value } else { self.max.max(value) };
        self.count += 1;
        self.sum += value;
    }

    fn range(&self) -> Range {
        Range { min: self.min, mean: self.sum / self.count.max(1) as f64, max: self.max }
    }
}
