//! Scores against the reference functions' numbers, and what no reference says: failures, hidden and impossible
//! answers.

use longsight_eval::score::{Breakdown, Results, Row, Scorer, score_record};
use longsight_eval::{Profile, Record, Task};
use serde_json::Value;

pub fn record(row: usize, video: &str, gold: &str, response: &str) -> Record {
    Record {
        id: format!("q{row}"),
        row,
        video_id: video.into(),
        groups: Vec::new(),
        question: String::new(),
        options: Vec::new(),
        gold: Some(gold.into()),
        issues: Vec::new(),
        response: Some(response.into()),
        failure: None,
        prediction: String::new(),
        score: 0.0,
        receipt_digest: None,
        measured: None,
    }
}

fn failed(row: usize, video: &str) -> Record {
    Record { response: None, failure: Some("no such file".into()), ..record(row, video, "A", "") }
}

pub fn with_group(record: Record, name: &str, label: &str) -> Record {
    Record { groups: vec![(name.into(), label.into())], ..record }
}

pub fn score(task: Task, profile: Profile, records: &[Record]) -> Results {
    let mut scorer = Scorer::new(task, profile);
    for record in records {
        scorer.push(record);
    }
    scorer.finish()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/aggregation.json")).unwrap()
}

fn records(rows: &Value, response: &str, groups: &[&str]) -> Vec<Record> {
    let string = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let read = |(i, row): (usize, &Value)| {
        let video = row.get("videoID").map_or_else(|| format!("v{i}"), string);
        let mut record = record(i, &video, &string(&row["answer"]), &string(&row[response]));
        record.groups = groups.iter().map(|name| ((*name).to_owned(), string(&row[*name]))).collect();
        record
    };
    rows.as_array().unwrap().iter().enumerate().map(read).collect()
}

fn close(a: f64, b: &Value) -> bool {
    (a - b.as_f64().unwrap()).abs() < 1e-9
}

pub fn breakdown<'a>(results: &'a Results, name: &str) -> &'a Breakdown {
    results.breakdowns.iter().find(|breakdown| breakdown.name == name).unwrap()
}

const VIDEOMME_GROUPS: [(&str, &str); 4] = [
    ("duration", "video Type"),
    ("domain", "Categories"),
    ("sub_category", "Video Sub Categories"),
    ("task_type", "Task Categories"),
];

#[test]
fn videomme_equals_the_reference() {
    let golden = &golden()["videomme"];
    let groups = VIDEOMME_GROUPS.map(|(name, _)| name);
    let records = records(&golden["rows"], "response", &groups);
    for (profile, column) in [(Profile::VideoMme, "mcq"), (Profile::VideoMme022, "legacy")] {
        let expected = &golden["lmms_eval"][column];
        let results = score(Task::VideoMme, profile, &records);
        assert!(close(results.value.unwrap(), &expected["overall"]), "{column}");
        assert!(close(results.stderr.unwrap() / 100.0, &expected["clustered_stderr"]), "{column}");
        let mut lines = Vec::new();
        for (name, title) in VIDEOMME_GROUPS {
            let rows = &breakdown(&results, name).rows;
            let labels: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
            assert_eq!(serde_json::to_value(labels).unwrap(), golden["labels"][name]);
            lines.extend(
                rows.iter().map(|row| format!("Evaluation on {title}: {}:  {:.1}%", row.label, row.value)),
            );
        }
        lines.push(format!("Overall Performance:  {:.1}%", results.value.unwrap()));
        assert_eq!(serde_json::to_value(lines).unwrap(), expected["log_lines"], "{column}");
    }
}

#[test]
fn videomme_official_leaves_unparsed_rows_out() {
    let golden = &golden()["videomme"];
    let records = records(&golden["rows"], "response", &["duration"]);
    let results = score(Task::VideoMme, Profile::VideoMmeOfficial, &records);
    let rows = &breakdown(&results, "duration").rows;
    assert_eq!(rows.len(), 3);
    for (label, row) in rows.iter().map(|row| (row.label.as_str(), row)).chain([("overall", &results.all)]) {
        let expected = &golden["official"][label];
        assert_eq!(
            (row.correct, row.total),
            (int(&expected["correct"]), int(&expected["answered"])),
            "{label}"
        );
        assert!(close(row.value, &expected["percent"]), "{label}");
    }
    assert_eq!(results.value, Some(results.all.value));
    assert_eq!(results.counts.samples - results.all.total, results.unparsed.len());
}

fn int(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[test]
fn mlvu_equals_the_reference() {
    let golden = &golden()["mlvu"];
    let records = records(&golden["rows"], "response", &["task_type"]);
    for (profile, column, average) in [
        (Profile::Mlvu, "mcq", "m_avg_dev"),
        (Profile::Mlvu033, "paren", "m_avg_dev"),
        (Profile::Mlvu032, "paren", "m_avg_dev"),
        (Profile::Mlvu030, "letter", "micro"),
        (Profile::Mlvu022, "paren", "micro"),
        (Profile::MlvuOfficial, "paren", "mean_over_tasks_present"),
    ] {
        let expected = &golden["expected"][column];
        let results = score(Task::MlvuDev, profile, &records);
        assert!(close(results.value.unwrap(), &expected[average]), "{profile}: {:?}", results.value);
        assert!(close(results.all.value, &expected["micro"]), "{profile}");
        let tasks = &breakdown(&results, "task_type").rows;
        assert_eq!(tasks.len(), 7);
        for row in tasks {
            let counts = &expected["correct_and_total_per_task"][&row.label];
            assert_eq!(
                (row.correct, row.total),
                (int(&counts[0]), int(&counts[1])),
                "{profile} {}",
                row.label
            );
        }
    }
}

#[test]
fn longvideobench_equals_the_reference() {
    let golden = &golden()["longvideobench"];
    let groups = ["duration_group", "question_category"];
    let records = records(&golden["rows"], "parsed_pred", &groups);
    let results = score(Task::LongVideoBench, Profile::Lvb, &records);
    let printed = golden["expected"]["printed"].as_object().unwrap();
    assert_eq!(results.value, golden["expected"]["overall"].as_f64());
    assert_eq!(2 * results.all.total, int(&printed["Overall"]["num"]));
    let rows: Vec<&Row> =
        results.breakdowns.iter().flat_map(|one| &one.rows).filter(|row| row.total > 0).collect();
    assert_eq!(rows.len(), printed.len() - 1);
    for row in rows {
        let expected = &printed[&row.label];
        assert_eq!(
            (row.total, Some(row.value)),
            (int(&expected["num"]), expected["acc"].as_f64()),
            "{}",
            row.label
        );
    }
}

#[test]
fn failed_videos_count_as_wrong_and_are_listed() {
    let records = [record(0, "a", "A", "A"), failed(1, "b"), record(2, "c", "A", "no idea")];
    for (profile, total) in [(Profile::VideoMme, 3), (Profile::VideoMmeOfficial, 2)] {
        let results = score(Task::VideoMme, profile, &records);
        assert_eq!((results.all.correct, results.all.total), (1, total), "{profile}");
        assert_eq!((results.counts.answered, results.counts.failed, results.counts.unparsed), (2, 1, 1));
        assert_eq!(
            (results.failures[0].id.as_str(), results.failures[0].reason.as_str()),
            ("q1", "no such file")
        );
        assert_eq!(results.unparsed, ["q2"]);
        assert_eq!(results.counts.videos, 3);
    }
}

#[test]
fn impossible_answers_are_never_right() {
    let mut records = vec![record(0, "a", "@", "@"), record(1, "a", "", ""), record(2, "a", "B", "B")];
    records[0].issues = vec!["no candidate is the answer".into(), "and more".into()];
    let results = score(Task::MlvuDev, Profile::MlvuOfficial, &records);
    assert_eq!((results.all.correct, results.all.total), (1, 3));
    assert_eq!(results.imperfect.len(), 1);
    assert_eq!(results.imperfect[0].reason, "no candidate is the answer; and more");
    score_record(&mut records[0], Profile::MlvuOfficial);
    assert_eq!((records[0].prediction.as_str(), records[0].score), ("@", 0.0));
    score_record(&mut records[2], Profile::MlvuOfficial);
    assert_eq!((records[2].prediction.as_str(), records[2].score), ("B", 1.0));
}

#[test]
fn hidden_answers_have_no_score() {
    let hidden = |row| Record { gold: None, ..record(row, "a", "", "A") };
    let results = score(Task::LongVideoBench, Profile::Lvb, &[hidden(0), hidden(1)]);
    assert_eq!(
        (results.value, results.stderr, results.ci95, results.expected_random_gain),
        (None, None, None, None)
    );
    assert_eq!((results.counts.hidden_gold, results.counts.answered, results.all.total), (2, 2, 0));
    let results = score(Task::MlvuTest, Profile::Mlvu, &[]);
    assert_eq!((results.value, breakdown(&results, "task_type").rows.len()), (None, 9));
}

#[test]
fn unknown_labels_come_last_and_are_not_averaged() {
    let records = [
        with_group(record(0, "a", "A", "A"), "task_type", "zebra"),
        with_group(record(1, "a", "A", "A"), "task_type", "juggling"),
        with_group(record(2, "a", "A", "A"), "task_type", "order"),
        record(3, "a", "A", "A"),
        with_group(record(4, "a", "A", "B"), "weather", "rain"),
    ];
    let results = score(Task::MlvuDev, Profile::MlvuOfficial, &records);
    let labels: Vec<&str> = results.breakdowns[0].rows.iter().map(|row| row.label.as_str()).collect();
    assert_eq!(labels[7..], ["juggling", "zebra"]);
    assert_eq!(results.value, Some(100.0));
    assert!((score(Task::MlvuDev, Profile::Mlvu, &records).value.unwrap() - 100.0 / 7.0).abs() < 1e-12);
    let none = score(Task::MlvuDev, Profile::Mlvu, &records[..2]).value.unwrap();
    assert!(none == 0.0 && none.is_sign_positive(), "no row in any task is 0, not -0");
    assert_eq!((results.all.correct, results.all.total), (4, 5));
}

#[test]
fn what_a_random_draw_would_add_is_reported() {
    let options = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let asked = |row, gold, options, response| Record { options, ..record(row, "a", gold, response) };
    let four = || options(&["a", "b", "c", "d", "N/A"]);
    let records = [
        asked(0, "A", four(), "none of them"),
        asked(1, "E", options(&["a", "b", "c", "d", "e"]), "none of them"),
        asked(2, "C", options(&["a", "N/A", "c", "d", "N/A"]), "never drawn"),
        asked(3, "A", four(), "A"),
        Record { options: four(), ..failed(4, "b") },
    ];
    let results = score(Task::LongVideoBench, Profile::Lvb, &records);
    assert!((results.expected_random_gain.unwrap() - (0.25 + 0.2) / 5.0).abs() < 1e-12);
    assert_eq!((results.value, results.unparsed.len()), (Some(0.2), 3));
    assert_eq!(score(Task::VideoMme, Profile::VideoMme, &records).expected_random_gain, None);
}
