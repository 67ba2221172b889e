//! Paired comparisons: counts, errors, and exact tests against enumeration.

use crate::score::record;
use longsight_eval::Record;
use longsight_eval::score::{Comparison, compare};
use proptest::prelude::*;

fn run(rows: &[(usize, usize, bool)]) -> Vec<Record> {
    let of_row = |&(id, video, is_right): &(usize, usize, bool)| Record {
        score: f64::from(is_right),
        ..record(id, &format!("v{video}"), "A", "A")
    };
    rows.iter().map(of_row).collect()
}

/// Rows on videos of three questions, as both runs answered them.
fn both(answers: &[(bool, bool)]) -> (Vec<Record>, Vec<Record>) {
    let rows = |pick: fn(&(bool, bool)) -> bool| -> Vec<_> {
        answers.iter().enumerate().map(|(i, answer)| (i, i / 3, pick(answer))).collect()
    };
    (run(&rows(|answer| answer.0)), run(&rows(|answer| answer.1)))
}

#[test]
fn other_questions_under_the_same_ids_are_not_compared() {
    let rows = [(0, 0, true), (1, 0, false)];
    let (a, mut b) = (run(&rows), run(&rows));
    b[1].question = "What else?".into();
    assert!(compare(a.clone(), b).unwrap_err().to_string().contains("different questions"));
    let mut b = run(&rows);
    b[1].gold = Some("B".into());
    assert!(compare(a, b).unwrap_err().to_string().contains("different questions"));
}

#[test]
fn pairs_common_questions_and_counts_the_others() {
    let a = run(&[(0, 0, true), (1, 0, true), (2, 1, false), (3, 1, true), (8, 2, true)]);
    let b = run(&[(9, 3, true), (3, 1, false), (2, 1, true), (1, 0, false), (0, 0, false), (0, 0, true)]);
    let comparison = compare(a, b).unwrap();
    assert_eq!((comparison.samples, comparison.videos), (4, 2));
    assert_eq!((comparison.only_in_a, comparison.only_in_b), (1, 1));
    assert_eq!(
        (comparison.right_only_in_a, comparison.right_only_in_b),
        (2, 1),
        "of equal ids the last counts"
    );
    assert_eq!((comparison.score_a, comparison.score_b, comparison.difference), (0.75, 0.5, -0.25));
    let (low, high) = comparison.ci95.unwrap();
    assert!(low >= -1.0 && high > 0.0);
    // Videos differ by -1 and 0: one flip of two is as far from 0, and so is the other.
    assert_eq!((comparison.permutation_p, comparison.mcnemar_p), (1.0, 1.0));
    let json = serde_json::to_string(&comparison).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);
}

#[test]
fn mcnemars_test_is_the_binomial_one() {
    let answers: Vec<(bool, bool)> =
        (0..30).map(|i| (i == 0 || i >= 20, (1..10).contains(&i) || i >= 20)).collect();
    let (a, b) = both(&answers);
    let comparison = compare(a, b).unwrap();
    assert_eq!((comparison.right_only_in_a, comparison.right_only_in_b), (1, 9));
    assert!((comparison.mcnemar_p - 22.0 / 1024.0).abs() < 1e-15, "{}", comparison.mcnemar_p);
}

#[test]
fn a_large_clear_difference_is_certain_and_a_balanced_one_is_not() {
    let (a, b) = both(&vec![(false, true); 3000]);
    let clear = compare(a, b).unwrap();
    assert!(clear.permutation_p < 1e-200 && clear.mcnemar_p < 1e-200);
    assert_eq!((clear.difference, clear.stderr, clear.ci95), (1.0, Some(0.0), None));
    let (a, b) = both(&[[(false, true); 3], [(true, false); 3]].concat().repeat(500));
    let balanced = compare(a, b).unwrap();
    assert_eq!((balanced.difference, balanced.permutation_p, balanced.mcnemar_p), (0.0, 1.0, 1.0));
}

#[test]
fn nothing_in_common_is_refused() {
    let refused = |a: Vec<Record>, b: Vec<Record>| compare(a, b).unwrap_err().to_string();
    assert!(refused(run(&[(0, 0, true)]), run(&[(1, 0, true)])).contains("in common"));
    assert!(refused(Vec::new(), Vec::new()).contains("in common"));
    let hidden = Record { gold: None, ..run(&[(0, 0, true)]).remove(0) };
    assert!(refused(vec![hidden.clone()], vec![hidden]).contains("in common"));
}

/// The share of sign choices that move the sum at least as far from 0, by trying all.
fn enumerated(sums: &[i64]) -> f64 {
    let flipped = |signs: u32| -> i64 {
        sums.iter().enumerate().map(|(i, sum)| if signs >> i & 1 == 1 { -sum } else { *sum }).sum()
    };
    let as_far = (0..1_u32 << sums.len()).filter(|signs| flipped(*signs).abs() >= flipped(0).abs()).count();
    as_far as f64 / f64::from(1_u32 << sums.len())
}

proptest! {
    #[test]
    fn tests_equal_enumeration(answers in prop::collection::vec((any::<bool>(), any::<bool>()), 1..13)) {
        let (a, b) = both(&answers);
        let differences: Vec<i64> = answers.iter().map(|(a, b)| i64::from(*b) - i64::from(*a)).collect();
        let by_video: Vec<i64> = differences.chunks(3).map(|video| video.iter().sum()).collect();
        let comparison = compare(a.clone(), b.clone()).unwrap();
        prop_assert!((comparison.permutation_p - enumerated(&by_video)).abs() < 1e-12);
        prop_assert!((comparison.mcnemar_p - enumerated(&differences)).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&comparison.permutation_p));
        let swapped = compare(b, a).unwrap();
        prop_assert_eq!(swapped.difference, -comparison.difference);
        prop_assert_eq!(swapped.stderr, comparison.stderr);
        prop_assert_eq!(swapped.permutation_p, comparison.permutation_p);
    }
}
