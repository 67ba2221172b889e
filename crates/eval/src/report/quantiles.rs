//! Quantiles of a stream in bounded memory.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Each bucket is this much wider than the one below.
const GROWTH: f64 = 1.02;
/// Shorter times count as this long, in seconds.
const SHORTEST: f64 = 1e-6;
/// Longer times (30 years) count as this long.
const LONGEST: f64 = 1e9;

/// Numbers of a distribution of times, in seconds. Count, mean and max are exact; median and p90 are within 1%.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many times.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Half of them are at most this.
    pub median: f64,
    /// Nine tenths of them are at most this (nearest rank).
    pub p90: f64,
    /// The longest.
    pub max: f64,
}

/// Counts times in buckets whose borders grow by 2% from 1 microsecond on: at most 1,746 buckets. A quantile is read at
/// its bucket's geometric middle, so it is off by at most 1% (sqrt 1.02), within the exact smallest and largest.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    buckets: BTreeMap<u16, usize>,
    count: usize,
    sum: f64,
    min: f64,
    max: f64,
}

impl Histogram {
    /// Adds a time in seconds. One that is negative or no number is left out.
    pub fn add(&mut self, secs: f64) {
        if !secs.is_finite() || secs < 0.0 {
            return;
        }
        let bucket = ((secs.clamp(SHORTEST, LONGEST) / SHORTEST).ln() / GROWTH.ln()).floor();
        *self.buckets.entry(bucket as u16).or_default() += 1;
        self.min = if self.count == 0 { secs } else { self.min.min(secs) };
        self.max = self.max.max(secs);
        self.count += 1;
        self.sum += secs;
    }

    /// None for no times.
    pub fn quantiles(&self) -> Option<Quantiles> {
        (self.count > 0).then(|| Quantiles {
            count: self.count,
            mean: self.sum / self.count as f64,
            median: self.quantile(0.5),
            p90: self.quantile(0.9),
            max: self.max,
        })
    }

    /// The nearest rank: the smallest time that at least this share of all times does not exceed.
    fn quantile(&self, share: f64) -> f64 {
        let rank = ((share * self.count as f64).ceil() as usize).max(1);
        let mut below = 0;
        let bucket = self.buckets.iter().find(|&(_, &count)| {
            below += count;
            below >= rank
        });
        let middle = |bucket: u16| SHORTEST * GROWTH.powf(f64::from(bucket) + 0.5);
        bucket.map_or(self.max, |(&bucket, _)| middle(bucket).clamp(self.min, self.max))
    }
}
