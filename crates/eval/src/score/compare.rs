//! Two runs on the same questions.

use super::interval;
use super::sums::Sums;
use crate::{EvalError, Record, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A paired comparison of two runs. Scores are fractions of the questions that both runs asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Questions that both runs asked and whose answers are known.
    pub samples: usize,
    /// Their videos.
    pub videos: usize,
    /// Questions that only the first run asked.
    pub only_in_a: usize,
    /// Questions that only the second run asked.
    pub only_in_b: usize,
    /// The first run's share of right answers, 0 to 1.
    pub score_a: f64,
    /// The second run's.
    pub score_b: f64,
    /// `score_b - score_a`.
    pub difference: f64,
    /// Standard error of the difference, clustered by video; None with fewer than 2 questions.
    pub stderr: Option<f64>,
    /// Bounds of the difference's 95% confidence interval.
    pub ci95: Option<(f64, f64)>,
    /// Questions that only the first run got right.
    pub right_only_in_a: usize,
    /// Questions that only the second run got right.
    pub right_only_in_b: usize,
    /// Sign-flip permutation test: how probable a difference as large as this is, either way, if the two runs could be
    /// exchanged video by video. Exact, but 0 below 1e-300 or so.
    pub permutation_p: f64,
    /// McNemar's exact test: the same if they could be exchanged question by question. It takes the questions of a
    /// video for independent, which they are not: too small where they go together.
    pub mcnemar_p: f64,
}

/// Compares the scores that two runs' records hold, question by question. Of records with the same id the last counts;
/// questions without a known answer do not.
///
/// # Errors
///
/// The runs have no question in common, or different ones under the same id.
pub fn compare(
    a: impl IntoIterator<Item = Record>,
    b: impl IntoIterator<Item = Record>,
) -> Result<Comparison> {
    let (a, b) = (scores(a), scores(b));
    let (mut difference, mut right_a, mut right_b) = (Sums::default(), 0, 0);
    let (mut right_only_in_a, mut right_only_in_b) = (0, 0);
    for (id, first) in &a {
        let Some(second) = b.get(id) else { continue };
        if (&first.question, &first.gold) != (&second.question, &second.gold) {
            return Err(EvalError::Setting(format!(
                "the two runs asked different questions under the id {id}: they ran on different data"
            )));
        }
        difference.add(&first.video, i64::from(second.is_right) - i64::from(first.is_right));
        right_a += usize::from(first.is_right);
        right_b += usize::from(second.is_right);
        right_only_in_a += usize::from(first.is_right && !second.is_right);
        right_only_in_b += usize::from(second.is_right && !first.is_right);
    }
    let samples = difference.rows();
    if samples == 0 {
        return Err(EvalError::Setting(
            "the two runs have no question with a known answer in common: compare runs of the same task"
                .into(),
        ));
    }
    let stderr = difference.stderr();
    Ok(Comparison {
        samples,
        videos: difference.clusters().len(),
        only_in_a: a.len() - samples,
        only_in_b: b.len() - samples,
        score_a: right_a as f64 / samples as f64,
        score_b: right_b as f64 / samples as f64,
        difference: difference.mean(),
        stderr,
        ci95: stderr.and_then(|stderr| interval(difference.mean(), stderr, (-1.0, 1.0))),
        right_only_in_a,
        right_only_in_b,
        permutation_p: sign_flip_p(difference.clusters().map(|video| video.sum)),
        mcnemar_p: sign_flip_p(
            std::iter::repeat_n(1, right_only_in_b).chain(std::iter::repeat_n(-1, right_only_in_a)),
        ),
    })
}

struct Scored {
    video: String,
    question: String,
    gold: Option<String>,
    is_right: bool,
}

fn scores(records: impl IntoIterator<Item = Record>) -> HashMap<String, Scored> {
    records
        .into_iter()
        .filter(|record| record.gold.is_some())
        .map(|record| {
            let Record { id, video_id: video, question, gold, score, .. } = record;
            (id, Scored { video, question, gold, is_right: score > 0.5 })
        })
        .collect()
}

/// The share of all 2^n choices of signs for which the sum of `differences` is at least as far from 0 as it is: the
/// exact two-sided sign-flip test. With differences of 1 and -1 this is McNemar's exact (binomial) test.
///
/// Nothing has to be drawn: as the differences are small whole numbers, so are their sums, and the distribution over
/// sums is built up one difference at a time.
fn sign_flip_p(differences: impl Iterator<Item = i64>) -> f64 {
    let differences: Vec<i64> = differences.filter(|difference| *difference != 0).collect();
    let observed = differences.iter().sum::<i64>().unsigned_abs() as usize;
    let sizes: Vec<usize> = differences.iter().map(|difference| difference.unsigned_abs() as usize).collect();
    // `chance[x]`: that the differences with a plus add up to x; the sum is then 2x - total.
    let total: usize = sizes.iter().sum();
    let mut chance = vec![0.0; total + 1];
    chance[0] = 1.0;
    let mut largest = 0;
    for size in sizes {
        largest += size;
        for x in (0..=largest).rev() {
            let with_plus = if x >= size { chance[x - size] } else { 0.0 };
            chance[x] = 0.5 * (chance[x] + with_plus);
        }
    }
    let is_as_far = |x: &usize| (2 * x).abs_diff(total) >= observed;
    (0..=total).filter(is_as_far).map(|x| chance[x]).sum::<f64>().min(1.0)
}
