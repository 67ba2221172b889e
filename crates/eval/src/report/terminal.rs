//! A run's results for a terminal: plain text, at most 100 columns.

use super::format;
use super::measure::Measurements;
use super::view;
use super::work;
use crate::score::{Breakdown, Listed, Results};
use longsight_report::format::{NONE, clip, counted, plain, thousands};
use longsight_report::grid::Grid;

/// Widest line.
const MAX_WIDTH: usize = 100;
/// Of each list of samples, so many are shown.
const MAX_LISTED: usize = 5;

/// The results in the benchmark's own breakdown, what they cost, and the samples that need a look.
pub fn table(results: &Results, measurements: &Measurements) -> String {
    let mut blocks = vec![head(results)];
    blocks.extend(results.breakdowns.iter().map(|breakdown| match view::in_one_line(results, breakdown) {
        true => one_line(results, breakdown).terminal(),
        false => breakdown_grid(results, breakdown).terminal(),
    }));
    blocks.extend(work::grid(measurements).map(|grid| grid.terminal()));
    blocks.push(remarks(results));
    let lines: Vec<String> = blocks
        .iter()
        .filter(|block| !block.is_empty())
        .flat_map(|block| block.lines().map(|line| clip(line, MAX_WIDTH)).chain([String::new()]))
        .collect();
    lines.join("\n")
}

fn head(results: &Results) -> String {
    let counts = &results.counts;
    let interval = match format::interval(results.ci95, results.unit) {
        none if none == NONE => String::new(),
        interval => format!("   95% CI {interval}"),
    };
    format!(
        "{}, profile {}: {} on {}\n{}  {}{interval}   {}/{} right\n",
        view::task_title(results.task),
        results.profile,
        counted(counts.samples, "question"),
        counted(counts.videos, "video"),
        plain(&results.metric),
        format::headline(results.value, results.unit),
        results.all.correct,
        results.all.total,
    )
}

/// A row a label, the headline last in the first table.
pub(super) fn breakdown_grid(results: &Results, breakdown: &Breakdown) -> Grid {
    let title = view::breakdown_title(results, breakdown).to_owned();
    let mut header = vec![String::new()];
    header.extend(view::number_header(results));
    let line = |label: &str, row: &_| {
        let mut cells = vec![label.to_owned()];
        cells.extend(view::numbers(results, row));
        cells
    };
    let mut rows: Vec<_> =
        breakdown.rows.iter().map(|row| line(view::row_label(breakdown, row), row)).collect();
    let is_primary = view::primary(results).is_some_and(|primary| primary.name == breakdown.name);
    let headline = view::headline_row(results).filter(|_| is_primary);
    rows.extend(headline.map(|row| line(&row.label, &row)));
    Grid { title, header, rows, left: 1 }
}

/// A column a label, the headline last.
fn one_line(results: &Results, breakdown: &Breakdown) -> Grid {
    let upright = breakdown_grid(results, breakdown);
    let mut columns = upright.rows;
    columns.insert(0, upright.header);
    let cell =
        |row: usize| columns.iter().map(|column| column.get(row).cloned().unwrap_or_default()).collect();
    let mut rows: Vec<Vec<String>> = (0..columns[0].len()).map(cell).collect();
    let header = rows.remove(0);
    Grid { title: upright.title, header, rows, left: 1 }
}

fn remarks(results: &Results) -> String {
    let counts = &results.counts;
    let described = |list: &[Listed]| -> Vec<String> {
        list.iter()
            .take(MAX_LISTED)
            .map(|one| format!("{} ({}): {}", one.id, one.video_id, one.reason))
            .collect()
    };
    let unparsed: Vec<String> = results.unparsed.iter().take(MAX_LISTED).cloned().collect();
    let mut text = String::new();
    text += &remark("whose video failed, counted wrong", counts.failed, &described(&results.failures));
    let missing = format!("{} in the answer", view::missing_answer(results));
    text += &remark(&missing, counts.unparsed, &unparsed);
    text += &remark("with an imperfect annotation", results.imperfect.len(), &described(&results.imperfect));
    if counts.hidden_gold > 0 {
        text += &format!("answers hidden by the benchmark: {}\n", thousands(counts.hidden_gold as f64));
    }
    if let Some(gain) = results.expected_random_gain.filter(|gain| gain.is_finite()) {
        let unit = results.unit;
        text += &format!(
            "a random option where no letter was found would add {} points\n",
            format::percent(gain, unit)
        );
    }
    text
}

/// How many, and the first few.
fn remark(what: &str, count: usize, shown: &[String]) -> String {
    let mut text = match count {
        0 => return String::new(),
        1 => format!("1 question {what}:\n"),
        _ => format!("{} questions {what}:\n", thousands(count as f64)),
    };
    shown.iter().for_each(|line| text += &format!("  {}\n", plain(line)));
    if count > shown.len() {
        text += &format!(
            "  and {} more: results.json, or --json, lists them\n",
            thousands((count - shown.len()) as f64)
        );
    }
    text
}
