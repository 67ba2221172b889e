//! Results and measurements made up by hand: the report does not compute scores, so they need not come from a run.

use longsight_eval::report::{Measurements, RunSummary};
use longsight_eval::score::{Breakdown, Counts, Listed, Results, Row, Unit};
use longsight_eval::{Measured, Profile, Record, Task};

/// Ids and labels that would break a page, an SVG, a table or a terminal.
pub const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</title></svg>&amp;",
    "a|b\\c\n\u{1b}[31mred\u{0}\u{ffff}",
    "\u{202e}drawkcab",
];

pub fn row(label: &str, correct: usize, total: usize, unit: Unit) -> Row {
    let whole = if unit == Unit::Percent { 100.0 } else { 1.0 };
    let share = if total == 0 { 0.0 } else { correct as f64 / total as f64 };
    let stderr = (total > 1).then(|| (share * (1.0 - share) / total as f64).sqrt() * whole);
    let value = share * whole;
    let ci95 = stderr.map(|stderr| ((value - 1.96 * stderr).max(0.0), (value + 1.96 * stderr).min(whole)));
    Row { label: label.into(), correct, total, value, stderr, ci95 }
}

/// Labels with the rows that were right, and all rows.
type Labels<'a> = &'a [(&'a str, usize, usize)];

fn results(task: Task, metric: &str, unit: Unit, breakdowns: &[(&str, Labels)]) -> Results {
    let breakdowns: Vec<Breakdown> = breakdowns
        .iter()
        .map(|(name, rows)| Breakdown {
            name: (*name).into(),
            rows: rows.iter().map(|&(label, correct, total)| row(label, correct, total, unit)).collect(),
        })
        .collect();
    let sum =
        |number: fn(&Row) -> usize| breakdowns.first().map_or(0, |first| first.rows.iter().map(number).sum());
    let (correct, total) = (sum(|row| row.correct), sum(|row| row.total));
    let all = row("Overall", correct, total, unit);
    Results {
        task,
        profile: task.default_profile(),
        metric: metric.into(),
        unit,
        value: Some(all.value),
        stderr: all.stderr,
        ci95: all.ci95,
        all,
        breakdowns,
        counts: Counts { samples: total, videos: total / 3, answered: total, ..Counts::default() },
        expected_random_gain: None,
        imperfect: Vec::new(),
        failures: Vec::new(),
        unparsed: Vec::new(),
    }
}

pub fn videomme() -> Results {
    let mut results = results(
        Task::VideoMme,
        "overall",
        Unit::Percent,
        &[
            ("duration", &[("short", 222, 300), ("medium", 183, 300), ("long", 166, 300)]),
            (
                "domain",
                &[
                    ("Knowledge", 180, 270),
                    ("Film & Television", 79, 120),
                    ("Sports Competition", 88, 150),
                    ("Artistic Performance", 81, 120),
                    ("Life Record", 124, 210),
                    ("Multilingual", 19, 30),
                ],
            ),
            (
                "sub_category",
                &[("Humanity & History", 20, 30), ("Movie & TV Show", 0, 0), ("Pet & Animal", 30, 30)],
            ),
            (
                "task_type",
                &[
                    ("Temporal Perception", 40, 55),
                    ("Counting Problem", 31, 90),
                    ("Information Synopsis", 70, 80),
                ],
            ),
        ],
    );
    results.counts =
        Counts { samples: 900, videos: 300, answered: 897, failed: 3, unparsed: 8, hidden_gold: 0 };
    let failed = |n: usize| Listed {
        id: format!("{n:03}-1"),
        video_id: format!("Video{n}"),
        reason: "Video.mp4: no video stream; convert it with ffmpeg".into(),
    };
    results.failures = (1..=3).map(failed).collect();
    results.unparsed = (1..=8).map(|n| format!("{n:03}-2")).collect();
    results.imperfect = vec![Listed {
        id: "007-3".into(),
        video_id: "Video7".into(),
        reason: "gold answer outside the options".into(),
    }];
    results
}

pub fn mlvu() -> Results {
    let tasks: &[_] = &[
        ("plotQA", 360, 539),
        ("needle", 240, 355),
        ("ego", 190, 352),
        ("count", 60, 206),
        ("order", 120, 259),
        ("anomaly_reco", 120, 200),
        ("topic_reasoning", 220, 264),
    ];
    let mut results = results(Task::MlvuDev, "M-Avg", Unit::Percent, &[("task_type", tasks)]);
    results.value = Some(59.25);
    results
}

pub fn longvideobench() -> Results {
    let mut results = results(
        Task::LongVideoBench,
        "overall",
        Unit::Fraction,
        &[
            ("duration_group", &[("15", 130, 189), ("60", 120, 172), ("600", 220, 412), ("3600", 270, 564)]),
            ("question_category", &[("E2O", 40, 65), ("TAA", 33, 82), ("TOS", 20, 73)]),
        ],
    );
    results.expected_random_gain = Some(0.0123);
    results
}

/// The hostile texts at every place that a report shows.
pub fn hostile() -> RunSummary {
    let mut results = videomme();
    results.metric = HOSTILE[0].into();
    for (index, text) in HOSTILE.iter().enumerate() {
        results.unparsed.push((*text).into());
        let listed = Listed { id: (*text).into(), video_id: (*text).into(), reason: (*text).into() };
        results.failures.push(listed.clone());
        results.imperfect.push(listed);
        let last = results.breakdowns.len() - 1;
        results.breakdowns[last].rows.push(row(text, index, 10, Unit::Percent));
        results.breakdowns[1].name = (*text).into();
    }
    let manifest = serde_json::json!({ HOSTILE[0]: HOSTILE[1], "list": HOSTILE });
    RunSummary { name: HOSTILE[0].into(), results, measurements: measurements(&[32]), manifest }
}

/// 60 questions for each number of frames; every third one has the video's work in it.
pub fn measurements(frames: &[usize]) -> Measurements {
    let records: Vec<Record> =
        frames.iter().flat_map(|&frames| (0..60).map(move |row| record(row, frames))).collect();
    Measurements::of(&records)
}

pub fn record(row: usize, frames: usize) -> Record {
    let shared = !row.is_multiple_of(3);
    let first_token_secs = if shared { 0.3 } else { 0.05 * frames as f64 } + row as f64 / 1000.0;
    Record {
        id: row.to_string(),
        row,
        video_id: (row / 3).to_string(),
        groups: Vec::new(),
        question: "What is seen?".into(),
        options: Vec::new(),
        gold: Some("A".into()),
        issues: Vec::new(),
        response: Some("A".into()),
        failure: None,
        prediction: "A".into(),
        score: f64::from(u8::from(row * 100 < 45 * 60 + 150 * frames.ilog2() as usize)),
        receipt_digest: None,
        measured: Some(Measured {
            frames,
            visual_tokens: frames * 61,
            prompt_tokens: frames * 61 + 80,
            scale: (frames as f64 / 32.0).max(1.0),
            peak_bytes: Some(1_500_000_000 + 4_000_000 * frames as u64),
            first_token_secs,
            total_secs: first_token_secs + 0.1,
            shared_video: shared,
        }),
    }
}

pub fn manifest() -> serde_json::Value {
    serde_json::json!({
        "model": { "name": "llava-hf/llava-onevision-qwen2-0.5b-ov-hf", "digest": "sha256:".to_owned() + &"0b1c".repeat(16) },
        "task": "videomme", "profile": "videomme", "frames": 256,
        "context": { "method": "vcwe", "scale": "auto", "attention_factor": true },
        "pool": "4,2,8", "dtype": "bf16", "decoder": "ffmpeg 7.1.1",
        "machine": { "cpu": "2 cores", "memory_bytes": 8_589_934_592_u64 }, "shard": null, "filters": ["short", "long"],
    })
}

pub fn run(name: &str, results: Results, frames: &[usize]) -> RunSummary {
    RunSummary { name: name.into(), results, measurements: measurements(frames), manifest: manifest() }
}

/// A run without a row.
pub fn empty() -> RunSummary {
    let mut results = results(Task::MlvuTest, "M-Avg", Unit::Percent, &[("task_type", &[("plotQA", 0, 0)])]);
    results.profile = Profile::MlvuOfficial;
    results.value = None;
    RunSummary {
        name: "empty".into(),
        results,
        measurements: Measurements::default(),
        manifest: serde_json::json!({}),
    }
}
