//! Sums of scores by video, and the errors of their means.

use std::collections::BTreeMap;

/// Whole-number scores of rows, summed by video: all that a mean and its clustered error need.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    all: Cluster,
    videos: BTreeMap<String, Cluster>,
}

/// Rows of a video, or of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cluster {
    pub(super) rows: usize,
    pub(super) sum: i64,
    squares: i64,
}

impl Cluster {
    fn add(&mut self, score: i64) {
        self.rows += 1;
        self.sum += score;
        self.squares += score * score;
    }
}

impl Sums {
    pub(super) fn add(&mut self, video: &str, score: i64) {
        self.all.add(score);
        match self.videos.get_mut(video) {
            Some(cluster) => cluster.add(score),
            None => self.videos.entry(video.to_owned()).or_default().add(score),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.all.rows
    }

    pub(super) fn sum(&self) -> i64 {
        self.all.sum
    }

    /// 0 without rows.
    pub(super) fn mean(&self) -> f64 {
        if self.all.rows == 0 { 0.0 } else { self.all.sum as f64 / self.all.rows as f64 }
    }

    pub(super) fn clusters(&self) -> impl ExactSizeIterator<Item = &Cluster> {
        self.videos.values()
    }

    /// Standard error of the mean, clustered by video; None with fewer than 2 rows.
    pub(super) fn stderr(&self) -> Option<f64> {
        stderr_of_mean_of_means(&[self], 1)
    }
}

/// Standard error of (mean of the first + mean of the second + ...) / `parts`, clustered by video over all of them;
/// None with fewer than 2 rows.
///
/// To first order, a row of part t that lies d off its part's mean moves the result by u = d / (parts n_t). As in the
/// sandwich estimator, rows of one video are summed before squaring:
///
/// variance = sum over videos of (sum of u)^2 + sum over parts of sum of u^2 / (n_t - 1)
///
/// For one part this is lmms-eval's clustered error (`api/metrics.py`), v/n + (1/n^2) sum_c ((sum d)^2 - sum d^2) with
/// v = sum d^2 / (n - 1): it corrects the rows' own squares, but not the products of different rows, for the estimated
/// mean. A video's questions may belong to several parts; what they have in common is counted.
pub(super) fn stderr_of_mean_of_means(parts: &[&Sums], of: usize) -> Option<f64> {
    if parts.iter().map(|part| part.all.rows).sum::<usize>() < 2 {
        return None;
    }
    let mut by_video: BTreeMap<&str, f64> = BTreeMap::new();
    let mut own_squares = 0.0;
    for part in parts {
        let (rows, mean) = (part.all.rows as f64, part.mean());
        let weight = 1.0 / (of as f64 * rows);
        for (video, cluster) in &part.videos {
            *by_video.entry(video).or_default() += weight * (cluster.sum as f64 - cluster.rows as f64 * mean);
        }
        if part.all.rows > 1 {
            let squares = part.all.squares as f64 - part.all.sum as f64 * mean;
            own_squares += weight * weight * squares / (rows - 1.0);
        }
    }
    let variance = by_video.values().map(|moved| moved * moved).sum::<f64>() + own_squares;
    Some(variance.max(0.0).sqrt())
}
