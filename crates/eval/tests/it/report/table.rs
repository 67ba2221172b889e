//! The terminal's tables.

use super::fixtures::{empty, hostile, longvideobench, measurements, mlvu, record, videomme};
use longsight_eval::Task;
use longsight_eval::report::{Measurements, table};
use longsight_eval::score::Scorer;

/// The line that starts with `start`, split at spaces.
fn line<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let line = text
        .lines()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no `{start}` in\n{text}"));
    line.split_whitespace().collect()
}

/// Line numbers of lines that start so.
fn places(text: &str, starts: &[&str]) -> Vec<usize> {
    let place = |start: &&str| text.lines().position(|line| line.starts_with(start));
    starts.iter().map(|start| place(start).unwrap_or_else(|| panic!("no `{start}` in\n{text}"))).collect()
}

#[test]
fn videomme_has_durations_in_one_line_then_its_breakdowns() {
    let text = table(&videomme(), &measurements(&[32]));
    assert!(text.starts_with(
        "Video-MME, profile videomme: 900 questions on 300 videos\noverall  63.4%   95% CI 60.3–66.6"
    ));
    assert_eq!(line(&text, "Duration"), ["Duration", "short", "medium", "long", "overall"]);
    assert_eq!(line(&text, "%"), ["%", "74.0", "61.0", "55.3", "63.4"]);
    assert_eq!(line(&text, "right"), ["right", "222/300", "183/300", "166/300", "571/900"]);
    assert_eq!(line(&text, "Film & Television"), ["Film", "&", "Television", "65.8", "57.3–74.3", "79/120"]);
    assert_eq!(line(&text, "Movie & TV Show")[4..], ["0.0", "-", "0/0"]);
    let order = [
        "Duration",
        "Domain",
        "Knowledge",
        "Multilingual",
        "Sub-category",
        "Task type",
        "What it took",
        "frames",
    ];
    let order = places(&text, &order);
    assert!(order.is_sorted(), "{order:?}\n{text}");
}

#[test]
fn mlvu_has_its_tasks_in_order_and_m_avg_below_them() {
    let text = table(&mlvu(), &Measurements::default());
    let tasks = ["plotQA", "needle", "ego", "count", "order", "anomaly_reco", "topic_reasoning"];
    assert!(places(&text, &tasks).is_sorted(), "{text}");
    let last = text.lines().skip_while(|line| !line.starts_with("topic_reasoning")).nth(1);
    assert_eq!(last.map(|line| line.split_whitespace().take(2).collect()), Some(vec!["M-Avg", "59.2"]));
    assert_eq!(line(&text, "topic_reasoning")[1], "83.3");
}

#[test]
fn longvideobench_has_fractions_of_five_decimals_and_percents() {
    let text = table(&longvideobench(), &Measurements::default());
    assert!(text.contains("overall  0.55348 (55.3%)   95% CI 52.7–58.0   740/1337 right"), "{text}");
    assert_eq!(
        line(&text, "Duration"),
        ["Duration", "8-15", "s", "15-60", "s", "180-600", "s", "900-3600", "s", "overall"]
    );
    assert_eq!(line(&text, "fraction"), ["fraction", "0.68783", "0.69767", "0.53398", "0.47872", "0.55348"]);
    assert_eq!(line(&text, "%"), ["%", "68.8", "69.8", "53.4", "47.9", "55.3"]);
    assert_eq!(line(&text, "E2O"), ["E2O", "0.61538", "61.5", "49.7–73.4", "40/65"]);
    assert!(text.contains("would add 1.2 points"));
}

#[test]
fn work_is_shown_by_frames() {
    let text = table(&videomme(), &measurements(&[32, 256]));
    assert_eq!(line(&text, "32 ")[..4], ["32", "60", "1,952", "1.00"]);
    assert_eq!(line(&text, "256 ")[..4], ["256", "60", "15,616", "8.00"]);
    assert!(line(&text, "256 ").ends_with(&["2.35", "GiB"]));
    assert_eq!(line(&text, "all ")[..2], ["all", "120"]);
    assert!(!table(&videomme(), &measurements(&[32])).lines().any(|line| line.starts_with("all ")));
}

#[test]
fn failed_unparsed_and_imperfect_rows_are_counted_and_the_first_listed() {
    let text = table(&videomme(), &Measurements::default());
    assert!(
        text.contains(
            "3 questions whose video failed, counted wrong:\n  001-1 (Video1): Video.mp4: no video"
        ),
        "{text}"
    );
    assert!(text.contains("8 questions without a letter in the answer:\n  001-2\n"));
    assert!(text.contains("  005-2\n  and 3 more: results.json, or --json, lists them\n"));
    assert!(text.contains("1 question with an imperfect annotation:\n  007-3 (Video7): gold answer outside"));
    assert!(!table(&mlvu(), &Measurements::default()).contains("failed"));
}

#[test]
fn hidden_answers_and_no_rows_are_said_not_computed() {
    let run = empty();
    let mut results = run.results.clone();
    results.counts.hidden_gold = 502;
    let text = table(&results, &run.measurements);
    assert!(text.contains("M-Avg  no known answers   0/0 right"), "{text}");
    assert!(text.contains("answers hidden by the benchmark: 502"));
    assert!(!text.contains("NaN") && !text.contains("inf"));
}

#[test]
fn lines_fit_and_hold_no_control_characters() {
    let mut results = hostile().results;
    results.failures[0].reason = "long ".repeat(100);
    for results in [results, videomme(), longvideobench(), mlvu()] {
        let text = table(&results, &measurements(&[8, 64, 3000]));
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
            assert!(!line.chars().any(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
        }
    }
}

#[test]
fn the_scorer_s_results_are_laid_out_in_each_benchmark_s_way() {
    let scored = |task: Task, groups: &[(&str, &str)]| {
        let mut scorer = Scorer::new(task, task.default_profile());
        let mut record = record(0, 32);
        record.groups = groups.iter().map(|&(name, label)| (name.into(), label.into())).collect();
        scorer.push(&record);
        table(&scorer.finish(), &Measurements::default())
    };
    let text = scored(Task::VideoMme, &[("duration", "medium"), ("domain", "Knowledge")]);
    assert_eq!(line(&text, "Duration"), ["Duration", "short", "medium", "long", "overall"]);
    assert_eq!(line(&text, "right"), ["right", "0/0", "1/1", "0/0", "1/1"]);
    let text = scored(Task::LongVideoBench, &[("duration_group", "600"), ("question_category", "E2O")]);
    assert_eq!(line(&text, "right"), ["right", "0/0", "0/0", "1/1", "0/0", "1/1"]);
    let text = scored(Task::MlvuDev, &[("task_type", "ego")]);
    assert!(places(&text, &["Task", "plotQA", "topic_reasoning", "M-Avg  14.3"]).len() == 4);
    assert_eq!(line(&text, "ego")[1], "100.0");
}
