//! Which samples are asked: filters, limits, shards.

use longsight_eval::Sample;
use longsight_eval::run::{Filter, Selection, Shard};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

/// A sample of a video, for the tests of runs.
pub fn sample(row: usize, video: usize) -> Sample {
    Sample {
        id: format!("q{row}"),
        row,
        video_id: format!("v{video}"),
        video: format!("/somewhere/v{video}.mp4").into(),
        subtitles: None,
        question: format!("What is seen in {row}?"),
        options: ["A. Red.", "B. Blue.", "C. Green.", "D. Grey."].map(str::to_owned).to_vec(),
        gold: Some("B".into()),
        groups: vec![("duration".into(), if video.is_multiple_of(2) { "short" } else { "long" }.into())],
        duration_secs: None,
        subtitle_offset_secs: 0.0,
        issues: Vec::new(),
    }
}

fn filters(texts: &[&str]) -> Vec<Filter> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn ids(samples: &[Sample]) -> Vec<&str> {
    samples.iter().map(|sample| sample.id.as_str()).collect()
}

#[test]
fn filters_come_first_then_the_limit_then_the_shard() {
    let samples: Vec<Sample> = (0..12).map(|row| sample(row, row / 2)).collect();
    let selection = Selection {
        filters: filters(&["duration=short"]),
        limit: Some(5),
        shard: Some(Shard { index: 2, count: 2 }),
    };
    // Short: v0, v2, v4, two questions each; the first five of these; of their videos every second.
    let (selected, total) = selection.apply(samples).unwrap();
    assert_eq!((ids(&selected), total), (vec!["q4", "q5"], 5));
}

#[test]
fn all_filters_must_hold() {
    let select = |texts: &[&str]| {
        let samples = (0..6).map(|row| sample(row, row / 2)).collect();
        let kept = Selection { filters: filters(texts), ..Default::default() }.apply(samples);
        kept.map(|(kept, _)| ids(&kept).join(" ")).map_err(|error| error.to_string())
    };
    assert_eq!(select(&[]).unwrap(), "q0 q1 q2 q3 q4 q5");
    assert_eq!(select(&["video=v1"]).unwrap(), "q2 q3");
    assert_eq!(select(&["video=v1", "id=q3"]).unwrap(), "q3");
    assert!(select(&["video=v1", "id=q4"]).unwrap_err().contains("no sample fits every --filter"));
    let message = select(&["length=short"]).unwrap_err();
    assert!(message.contains("--filter length") && message.contains("id, video, duration"), "{message}");
}

#[test]
fn filters_and_shards_as_typed() {
    assert!("task_type=OCR = hard".parse::<Filter>().is_ok(), "a value may hold an equals sign");
    for text in ["", "short", "=short"] {
        assert!(text.parse::<Filter>().unwrap_err().contains("KEY=VALUE"), "{text:?}");
    }
    assert_eq!("3/3".parse(), Ok(Shard { index: 3, count: 3 }));
    assert_eq!("2/5".parse::<Shard>().unwrap().to_string(), "2/5");
    for text in ["0/3", "4/3", "1", "1/", "/2", "0/0", "-1/2", "1/2/3", "a/b", "18446744073709551616/2"] {
        assert!(text.parse::<Shard>().unwrap_err().contains("1/3, 2/3 and 3/3"), "{text:?}");
    }
}

proptest! {
    #[test]
    fn shards_partition_the_samples_and_keep_videos_together(
        videos in prop::collection::vec(0usize..9, 1..60),
        count in 1usize..6,
        limit in prop::option::of(1usize..70),
    ) {
        let samples: Vec<Sample> = videos.iter().enumerate().map(|(row, video)| sample(row, *video)).collect();
        let whole = Selection { limit, ..Default::default() }.apply(samples.clone()).unwrap();
        prop_assert_eq!(whole.0.len(), whole.1);
        let mut seen = HashSet::new();
        let mut shard_of_video = BTreeMap::new();
        let mut videos_of_shard = vec![HashSet::new(); count];
        for index in 1..=count {
            let selection = Selection { limit, shard: Some(Shard { index, count }), ..Default::default() };
            let (part, total) = selection.apply(samples.clone()).unwrap();
            prop_assert_eq!(total, whole.1, "the total is that of all shards");
            prop_assert!(part.windows(2).all(|pair| pair[0].row < pair[1].row), "order is kept");
            for sample in part {
                prop_assert!(seen.insert(sample.row), "in two shards");
                prop_assert_eq!(*shard_of_video.entry(sample.video_id.clone()).or_insert(index), index);
                videos_of_shard[index - 1].insert(sample.video_id);
            }
        }
        prop_assert_eq!(seen.len(), whole.1, "some samples are in no shard");
        let sizes: Vec<usize> = videos_of_shard.iter().map(HashSet::len).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{:?}", sizes);
    }
}
