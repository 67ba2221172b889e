//! One run's parts of the page.

use super::RunSummary;
use crate::report::format;
use crate::report::{view, work};
use crate::score::{Breakdown, Listed, Results, Row, Unit};
use longsight_engine::human_bytes;
use longsight_report::format::{NONE, coordinate, counted, escape, secs, thousands};
use longsight_report::grid::Grid;
use serde_json::Value;

/// Longer lists end with a count.
const MAX_LISTED: usize = 1000;

/// The result in large, and the run's counts as tiles.
pub(super) fn headline(run: &RunSummary) -> String {
    let results = &run.results;
    let interval = match format::interval(results.ci95, results.unit) {
        none if none == NONE => String::new(),
        interval => format!(", 95% CI <span class=\"n\">{interval}</span>"),
    };
    let tile =
        |(name, value): (&str, String)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(&value));
    format!(
        "<p class=\"soft\">{}, profile {}</p>\n<p class=\"headline\"><strong>{}</strong> {}{interval}</p>\n\
         <dl class=\"tiles\">\n{}</dl>\n",
        escape(&run.name),
        escape(&results.profile.to_string()),
        format::headline(results.value, results.unit),
        escape(&results.metric),
        tiles(run).into_iter().map(tile).collect::<String>(),
    )
}

fn tiles(run: &RunSummary) -> Vec<(&'static str, String)> {
    let (counts, all) = (&run.results.counts, &run.measurements.all);
    let number = |count: usize| thousands(count as f64);
    let mut tiles = vec![
        ("questions", number(counts.samples)),
        ("videos", number(counts.videos)),
        ("failed", number(counts.failed)),
        (view::missing_answer(&run.results), number(counts.unparsed)),
        ("imperfect data", number(run.results.imperfect.len())),
    ];
    if all.questions > 0 {
        tiles.push(("mean frames", thousands(all.frames.mean)));
        tiles.push(("mean visual tokens", thousands(all.visual_tokens.mean)));
    }
    tiles.extend(all.first_token_secs.map(|q| ("median first token", format!("{} s", secs(q.median)))));
    tiles.extend(all.peak_bytes.map(|bytes| ("peak memory", human_bytes(bytes))));
    tiles
}

/// Each breakdown as a table whose rows carry a bar.
pub(super) fn breakdowns(run: &RunSummary) -> String {
    let results = &run.results;
    let tables = results.breakdowns.iter().map(|breakdown| bars(results, breakdown));
    format!("<section>\n<h3>Breakdown</h3>\n{}</section>\n", tables.collect::<String>())
}

fn bars(results: &Results, breakdown: &Breakdown) -> String {
    let header = view::number_header(results);
    let header = header.iter().enumerate().map(|(column, cell)| {
        format!("<th scope=\"col\" class=\"{}\">{cell}</th>", cell_class(results, column))
    });
    let header: String = header.collect();
    let is_primary = view::primary(results).is_some_and(|primary| primary.name == breakdown.name);
    let rows = breakdown.rows.iter().map(|row| bar_row(results, view::row_label(breakdown, row), row, ""));
    let sum = view::headline_row(results).filter(|_| is_primary);
    let sum = sum.map(|row| bar_row(results, &row.label, &row, " class=\"sum\""));
    format!(
        "<div class=\"scroll\"><table class=\"bars\">\n<caption>{}</caption>\n\
         <thead><tr><th scope=\"col\">by {}</th>{header}</tr></thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
        escape(view::breakdown_title(results, breakdown)),
        escape(&view::breakdown_title(results, breakdown).to_lowercase()),
        rows.chain(sum).collect::<String>(),
    )
}

fn bar_row(results: &Results, label: &str, row: &Row, class: &str) -> String {
    let cells = view::numbers(results, row);
    let cells = cells
        .iter()
        .enumerate()
        .map(|(column, cell)| format!("<td class=\"{}\">{}</td>", cell_class(results, column), escape(cell)));
    let cells: String = cells.collect();
    format!(
        "<tr{class}><th scope=\"row\"><div><span>{}</span>{}</div></th>{cells}</tr>\n",
        escape(label),
        bar(results, label, row)
    )
}

/// Fractions, which the percents repeat, leave the page where it is narrow.
fn cell_class(results: &Results, column: usize) -> &'static str {
    if results.unit == Unit::Fraction && column == 0 { "n fraction" } else { "n" }
}

/// A bar from 0 to 100 with the interval as a line across it; it stretches to the width that is there.
fn bar(results: &Results, label: &str, row: &Row) -> String {
    let percent = |value| format::to_percent(value, results.unit).clamp(0.0, 100.0);
    let range = row.ci95.map_or(String::new(), |(low, high)| {
        let (low, high) = (coordinate(percent(low)), coordinate(percent(high)));
        format!("<path class=\"range\" fill=\"none\" d=\"M{low} 5H{high}M{low} 1V9M{high} 1V9\"/>")
    });
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"bar\" role=\"img\" viewBox=\"0 0 100 10\" \
         preserveAspectRatio=\"none\"><title>{}: {}%</title><desc>95% confidence interval: {}</desc>\
         <rect class=\"track\" width=\"100\" height=\"10\"/><rect class=\"value\" width=\"{}\" height=\"10\"/>\
         {range}</svg>",
        escape(label),
        format::percent(row.value, results.unit),
        format::interval(row.ci95, results.unit),
        coordinate(percent(row.value)),
    )
}

/// What it took, the samples that need a look, the manifest.
pub(super) fn details(run: &RunSummary) -> String {
    let results = &run.results;
    let work = work::grid(&run.measurements).map(|grid| grid.html()).unwrap_or_default();
    let unparsed: Vec<Vec<String>> =
        results.unparsed.iter().take(MAX_LISTED).map(|id| vec![id.clone()]).collect();
    let gain = results.expected_random_gain.filter(|gain| gain.is_finite()).map_or(String::new(), |gain| {
        let points = format::percent(gain, results.unit);
        format!("<p>A random option where no letter was found would add {points} points.</p>\n")
    });
    let lists = [
        listed(
            "Failed, counted wrong",
            results.counts.failed,
            described(&results.failures),
            &["question", "video", "why"],
        ),
        listed("Without a letter in the answer", results.counts.unparsed, unparsed, &["question"]),
        listed(
            "Imperfect annotation",
            results.imperfect.len(),
            described(&results.imperfect),
            &["question", "video", "what"],
        ),
    ];
    format!(
        "<section>\n<h3>Details</h3>\n{work}{gain}{}{}</section>\n",
        lists.concat(),
        manifest(&run.manifest)
    )
}

fn described(list: &[Listed]) -> Vec<Vec<String>> {
    let cells = |one: &Listed| vec![one.id.clone(), one.video_id.clone(), one.reason.clone()];
    list.iter().take(MAX_LISTED).map(cells).collect()
}

/// A list that opens; nothing where it is empty.
fn listed(what: &str, count: usize, rows: Vec<Vec<String>>, header: &[&str]) -> String {
    if count == 0 {
        return String::new();
    }
    let more = match count.saturating_sub(rows.len()) {
        0 => String::new(),
        more => format!("<p>And {} more: results.json lists them.</p>\n", thousands(more as f64)),
    };
    let header = header.iter().map(|&cell| cell.to_owned()).collect();
    let title = format!("{what}: {}", counted(count, "question"));
    let grid = Grid { title: what.into(), left: usize::MAX, header, rows };
    format!("<details>\n<summary>{}</summary>\n{}{more}</details>\n", escape(&title), grid.html())
}

fn manifest(manifest: &Value) -> String {
    let mut rows = Vec::new();
    flatten(String::new(), manifest, &mut rows);
    let header = vec!["setting".into(), "value".into()];
    let grid = Grid { title: "Manifest".into(), header, rows, left: usize::MAX };
    format!("<details>\n<summary>Manifest</summary>\n{}</details>\n", grid.html())
}

/// Nested keys joined by points; lists as JSON.
fn flatten(key: String, value: &Value, rows: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let path = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
            map.iter().for_each(|(name, value)| flatten(path(name), value, rows));
        }
        Value::String(text) => rows.push(vec![key, text.clone()]),
        other => rows.push(vec![key, other.to_string()]),
    }
}
