//! Standard errors clustered by video, and that the order of records does not matter.

use crate::score::{breakdown, record, score, with_group};
use longsight_eval::score::{Results, Row};
use longsight_eval::{Profile, Record, Task};
use proptest::prelude::*;

fn row<'a>(results: &'a Results, name: &str, label: &str) -> &'a Row {
    breakdown(results, name).rows.iter().find(|row| row.label == label).unwrap()
}

#[test]
fn intervals_stay_within_the_units_range() {
    let one_wrong: Vec<Record> =
        (0..20).map(|i| record(i, &format!("v{i}"), "A", if i == 0 { "B" } else { "A" })).collect();
    let results = score(Task::VideoMme, Profile::VideoMme, &one_wrong);
    let (low, high) = results.ci95.unwrap();
    assert!((low - (95.0 - 1.96 * results.stderr.unwrap())).abs() < 1e-9);
    assert_eq!(high, 100.0);
    assert_eq!(score(Task::VideoMme, Profile::VideoMme, &one_wrong[..1]).stderr, None);
}

/// Rows of MLVU: video, task, right or wrong.
fn mlvu_rows() -> impl Strategy<Value = Vec<Record>> {
    let row = (0..6_usize, prop::sample::select(vec!["ego", "order", "count", "odd"]), 0..4_usize);
    prop::collection::vec(row, 0..40).prop_map(|rows| {
        let of_row = |(i, (video, task, answer)): (usize, (usize, &str, usize))| {
            let response = ["A", "B", "no idea", "The answer is A"][answer];
            with_group(record(i, &format!("v{video}"), "A", response), "task_type", task)
        };
        rows.into_iter().enumerate().map(of_row).collect()
    })
}

proptest! {
    #[test]
    fn order_does_not_matter(records in mlvu_rows().prop_shuffle(), at in 0..40_usize) {
        let (second, first) = records.split_at(at.min(records.len()));
        let shards = [first, second].concat();
        for (task, profile) in [
            (Task::MlvuDev, Profile::Mlvu),
            (Task::MlvuDev, Profile::MlvuOfficial),
            (Task::VideoMme, Profile::VideoMmeOfficial),
            (Task::LongVideoBench, Profile::Lvb02),
        ] {
            let [one, other] = [&records, &shards].map(|records| score(task, profile, records));
            prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
            prop_assert_eq!(serde_json::from_str::<Results>(&serde_json::to_string(&one).unwrap()).unwrap(), one);
        }
    }

    #[test]
    fn one_row_a_video_gives_the_plain_error(right in prop::collection::vec(any::<bool>(), 2..60)) {
        let answer = |right: bool| if right { "A" } else { "B" };
        let records: Vec<Record> =
            right.iter().enumerate().map(|(i, right)| record(i, &format!("v{i}"), "A", answer(*right))).collect();
        let n = right.len() as f64;
        let mean = right.iter().filter(|right| **right).count() as f64 / n;
        let plain = (mean * (1.0 - mean) / (n - 1.0)).sqrt();
        let stderr = score(Task::VideoMme, Profile::VideoMme, &records).stderr.unwrap();
        prop_assert!((stderr / 100.0 - plain).abs() < 1e-12);
    }

    #[test]
    fn tasks_on_different_videos_have_independent_errors(mut records in mlvu_rows()) {
        for record in &mut records {
            record.video_id.push_str(&record.groups[0].1.clone());
        }
        let results = score(Task::MlvuDev, Profile::Mlvu, &records);
        let known: Vec<&Row> = breakdown(&results, "task_type").rows.iter().filter(|row| row.label != "odd").collect();
        let squares: f64 = known.iter().filter_map(|row| row.stderr).map(|stderr| stderr * stderr).sum();
        prop_assume!(known.iter().map(|row| row.total).sum::<usize>() >= 2);
        prop_assert!((results.stderr.unwrap() - squares.sqrt() / 7.0).abs() < 1e-9);
        let mean = known.iter().map(|row| row.value).sum::<f64>() / 7.0;
        prop_assert!((results.value.unwrap() - mean).abs() < 1e-9);
    }
}

#[test]
fn questions_of_one_video_are_no_independent_evidence() {
    let alternate = |i: usize| ["A", "B"][i % 2];
    let thrice: Vec<Record> =
        (0..60).map(|i| record(i, &format!("v{}", i / 3), "A", alternate(i / 3))).collect();
    let once: Vec<Record> = (0..20).map(|i| record(i, &format!("v{i}"), "A", alternate(i))).collect();
    let [thrice, once] = [thrice, once].map(|records| score(Task::VideoMme, Profile::VideoMme, &records));
    let ratio = thrice.stderr.unwrap() / once.stderr.unwrap();
    assert!((0.95..1.0).contains(&ratio), "asking three times tells hardly more: {ratio}");
}

#[test]
fn a_video_in_two_tasks_ties_their_errors() {
    // Each video has one question of each task and both go alike: the mean of two tasks is no surer than one task.
    let both: Vec<Record> = (0..40)
        .map(|i| {
            let response = ["A", "B"][(i / 2) % 2];
            let task = ["ego", "order"][i % 2];
            with_group(record(i, &format!("v{}", i / 2), "A", response), "task_type", task)
        })
        .collect();
    let tied = score(Task::MlvuDev, Profile::MlvuOfficial, &both);
    let one = row(&tied, "task_type", "ego").stderr.unwrap();
    assert!((0.95..1.01).contains(&(tied.stderr.unwrap() / one)), "{:?} {one}", tied.stderr);
}
