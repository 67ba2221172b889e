//! How each benchmark's results are laid out, the same in the terminal and on the page.

use super::format;
use crate::score::{Breakdown, Results, Row, Unit};
use crate::task::{Benchmark, Task};

/// More rows than this do not stand beside each other in one line.
const MAX_COLUMNS: usize = 4;

/// The benchmark's name, with what sets the task apart.
pub(super) fn task_title(task: Task) -> &'static str {
    match task {
        Task::VideoMme => "Video-MME",
        Task::VideoMmeSubs => "Video-MME with subtitles",
        Task::MlvuDev => "MLVU dev",
        Task::MlvuTest => "MLVU test",
        Task::LongVideoBench => "LongVideoBench",
        Task::LongVideoBenchSubs => "LongVideoBench with subtitles",
        Task::World => "synthetic world",
    }
}

/// What a response lacks that nothing could be read off.
pub(super) fn missing_answer(results: &Results) -> &'static str {
    if results.task == Task::World { "without words" } else { "without a letter" }
}

/// A breakdown's title.
pub(super) fn breakdown_title<'a>(results: &Results, breakdown: &'a Breakdown) -> &'a str {
    match breakdown.name.as_str() {
        "duration" | "duration_group" => "Duration",
        "domain" => "Domain",
        "sub_category" => "Sub-category",
        "task_type" | "question_type" if results.task.benchmark() == Benchmark::Mlvu => "Task",
        "task_type" => "Task type",
        "question_category" => "Question category",
        "kind" => "Kind",
        name => name,
    }
}

/// A row's label: LongVideoBench's duration groups with the lengths they stand for.
pub(super) fn row_label<'a>(breakdown: &Breakdown, row: &'a Row) -> &'a str {
    match (breakdown.name.as_str(), row.label.as_str()) {
        ("duration_group", "15") => "8-15 s",
        ("duration_group", "60") => "15-60 s",
        ("duration_group", "600") => "180-600 s",
        ("duration_group", "3600") => "900-3600 s",
        (_, label) => label,
    }
}

/// A label that fits a narrow column: MLVU's tasks by the abbreviations of its paper.
pub(super) fn column_label<'a>(breakdown: &Breakdown, row: &'a Row) -> &'a str {
    match row.label.as_str() {
        "plotQA" => "PQA",
        "needle" | "needleQA" => "NQA",
        "ego" => "ER",
        "count" => "AC",
        "order" => "AO",
        "anomaly_reco" => "AR",
        "topic_reasoning" => "TR",
        "sportsQA" => "SQA",
        "tutorialQA" => "TQA",
        _ => row_label(breakdown, row),
    }
}

/// The breakdown that a paper's main table shows: durations, or MLVU's tasks.
pub(super) fn primary(results: &Results) -> Option<&Breakdown> {
    let by_duration = |one: &&Breakdown| matches!(one.name.as_str(), "duration" | "duration_group");
    results.breakdowns.iter().find(by_duration).or_else(|| match results.task.benchmark() {
        Benchmark::Mlvu | Benchmark::World => results.breakdowns.first(),
        Benchmark::VideoMme | Benchmark::LongVideoBench => None,
    })
}

/// Whether a breakdown is one line, its rows side by side.
pub(super) fn in_one_line(results: &Results, breakdown: &Breakdown) -> bool {
    breakdown.rows.len() <= MAX_COLUMNS && primary(results).is_some_and(|first| first.name == breakdown.name)
}

/// The headline as a table's row; None where answers are hidden.
pub(super) fn headline_row(results: &Results) -> Option<Row> {
    let value = results.value?;
    Some(Row {
        label: results.metric.clone(),
        value,
        stderr: results.stderr,
        ci95: results.ci95,
        ..results.all.clone()
    })
}

/// A row's numbers: (fraction,) percent, 95% CI, right of all.
pub(super) fn numbers(results: &Results, row: &Row) -> Vec<String> {
    let mut cells = vec![format::percent(row.value, results.unit), format::interval(row.ci95, results.unit)];
    cells.push(format!("{}/{}", row.correct, row.total));
    if results.unit == Unit::Fraction {
        cells.insert(0, format!("{:.5}", if row.value.is_finite() { row.value } else { 0.0 }));
    }
    cells
}

/// The header of [`numbers`].
pub(super) fn number_header(results: &Results) -> Vec<String> {
    let header: &[&str] = match results.unit {
        Unit::Percent => &["%", "95% CI", "right"],
        Unit::Fraction => &["fraction", "%", "95% CI", "right"],
    };
    header.iter().map(|&cell| cell.to_owned()).collect()
}
