//! What questions took, summed up.

use super::fixtures::{measurements, record};
use longsight_eval::report::{Histogram, Measurements, Meter};
use proptest::prelude::*;

/// The nearest rank, from all values.
fn exact(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((share * values.len() as f64).ceil() as usize).max(1) - 1]
}

proptest! {
    #[test]
    fn quantiles_are_within_one_percent(values in prop::collection::vec(1e-5f64..1e6, 1..300)) {
        let mut histogram = Histogram::default();
        values.iter().for_each(|&value| histogram.add(value));
        let quantiles = histogram.quantiles().unwrap();
        prop_assert_eq!(quantiles.count, values.len());
        prop_assert_eq!(quantiles.max, exact(&values, 1.0));
        for (found, wanted) in [(quantiles.median, exact(&values, 0.5)), (quantiles.p90, exact(&values, 0.9))] {
            prop_assert!((found / wanted - 1.0).abs() < 0.01, "{} for {}", found, wanted);
        }
    }
}

#[test]
fn times_that_are_none_are_left_out() {
    let mut histogram = Histogram::default();
    [f64::NAN, f64::INFINITY, -1.0].iter().for_each(|&value| histogram.add(value));
    assert_eq!(histogram.quantiles(), None);
    [0.0, 0.0, 1e300].iter().for_each(|&value| histogram.add(value));
    let quantiles = histogram.quantiles().unwrap();
    assert!(quantiles.median < 1e-5 && quantiles.max == 1e300 && quantiles.p90 <= 1e300);
}

#[test]
fn groups_hold_the_questions_between_powers_of_two() {
    let records =
        [(0, 32), (1, 63), (2, 64), (3, 5), (4, 1), (5, 0)].map(|(row, frames)| record(row, frames.max(1)));
    let sums = Measurements::of(&records);
    let groups: Vec<_> =
        sums.by_frames.iter().map(|group| (group.frames.min, group.frames.max, group.questions)).collect();
    assert_eq!(groups, [(1.0, 1.0, 2), (5.0, 5.0, 1), (32.0, 63.0, 2), (64.0, 64.0, 1)]);
    assert_eq!(sums.all.questions, 6);
    assert_eq!(sums.by_frames[2].visual_tokens.mean, 61.0 * 47.5);
}

#[test]
fn first_tokens_on_a_shared_video_are_kept_apart() {
    let sums = measurements(&[64]).all;
    let (own, shared) = (sums.first_token_secs.unwrap(), sums.shared_first_token_secs.unwrap());
    assert_eq!((own.count, shared.count, sums.total_secs.unwrap().count), (20, 40, 60));
    assert!(own.median > 3.1 && shared.max < 0.4, "{own:?} {shared:?}");
    assert_eq!(sums.peak_bytes, Some(1_756_000_000));
}

#[test]
fn failed_videos_hidden_answers_and_no_records_count_for_nothing() {
    let mut failed = record(0, 32);
    failed.measured = None;
    assert_eq!(Measurements::of([&failed]), Measurements::default());
    let mut hidden = record(0, 32);
    (hidden.gold, hidden.score) = (None, 0.0);
    let sums = Measurements::of([&hidden]).all;
    assert_eq!((sums.questions, sums.scored, sums.correct), (1, 0, 0));
    let text = serde_json::to_string(&Measurements::default()).unwrap();
    assert!(!text.contains("NaN"));
    assert_eq!(serde_json::from_str::<Measurements>(&text).unwrap(), Measurements::default());
}

#[test]
fn a_meter_does_not_grow_with_its_records() {
    let mut meter = Meter::default();
    for row in 0..20_000 {
        meter.add(&record(row % 60, 1 + row % 4096));
    }
    let sums = meter.finish();
    assert_eq!(sums.by_frames.len(), 13);
    assert!(format!("{meter:?}").len() < 200_000, "{}", format!("{meter:?}").len());
}
