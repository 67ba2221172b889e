//! The tables of a sweep, as the paper's Tables 4 (context methods) and 5 (pooling), arXiv 2409.20018.

use super::format;
use super::{view, work};
use crate::score::Results;
use longsight_engine::human_bytes;
use longsight_method::{ContextMethod, PoolSpec};
use longsight_report::chart::{LineChart, Point, Quantity, Series, line_chart};
use longsight_report::format::{NONE, escape, thousands};
use longsight_report::grid::Grid;
use longsight_report::page;
use serde::{Deserialize, Serialize};

/// One run of a sweep; `sweep.json` is a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepRow {
    /// Frames asked for.
    pub frames: usize,
    /// The context method.
    pub context: ContextMethod,
    /// s, the mean over the run.
    pub scale: f64,
    /// Strides of the frames.
    pub pool: PoolSpec,
    /// Visual tokens in a prompt, the mean over the run.
    pub visual_tokens: f64,
    /// Largest memory of the process in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// The run's numbers.
    pub results: Results,
}

/// The tables of a sweep in three forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepTables {
    /// For a terminal.
    pub terminal: String,
    /// For a paper's draft.
    pub markdown: String,
    /// A self-contained page, with plots.
    pub html: String,
}

/// Table 4 for each setting of frames and pooling that several context methods ran with, and Table 5 for each setting of
/// frames and context method that several poolings ran with; rows keep their order. A sweep of neither gives one
/// Table 4 of all rows.
pub fn sweep_tables(rows: &[SweepRow]) -> SweepTables {
    let mut grids: Vec<Grid> = Vec::new();
    for group in groups(rows, |row| (row.frames, row.pool)) {
        grids.extend(context_grid(&group).filter(|_| group.len() > 1));
    }
    for group in groups(rows, |row| (row.frames, row.context)) {
        grids.extend(pool_grid(&group).filter(|_| group.len() > 1));
    }
    if grids.is_empty() {
        grids.extend(context_grid(&rows.iter().collect::<Vec<_>>()));
    }
    let joined = |form: fn(&Grid) -> String| grids.iter().map(form).collect::<Vec<_>>().join("\n");
    SweepTables {
        terminal: joined(Grid::terminal),
        markdown: joined(Grid::markdown),
        html: page(rows, &joined(Grid::html)),
    }
}

/// Rows with equal keys, in the order of their first row.
fn groups<K: PartialEq>(rows: &[SweepRow], key: impl Fn(&SweepRow) -> K) -> Vec<Vec<&SweepRow>> {
    let mut groups: Vec<(K, Vec<&SweepRow>)> = Vec::new();
    for row in rows {
        let key = key(row);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn context_grid(rows: &[&SweepRow]) -> Option<Grid> {
    let first = rows.first()?;
    let same = rows.iter().all(|row| (row.frames, row.pool) == (first.frames, first.pool));
    let title = match same {
        true => format!("Context methods: {} frames, pooling {}", first.frames, pooling(first.pool)),
        false => "All settings".into(),
    };
    let mut header: Vec<String> =
        ["method", "frames", "pooling", "s", "tokens", "memory"].map(str::to_owned).to_vec();
    header.extend(score_header(&first.results));
    let row = |row: &&SweepRow| {
        let mut cells = vec![row.context.to_string(), row.frames.to_string(), pooling(row.pool)];
        cells.push(format!("{:.2}", row.scale));
        cells.extend(cost(row));
        cells.extend(scores(&row.results));
        cells
    };
    let mut grid = Grid { title, header, rows: rows.iter().map(row).collect(), left: 1 };
    if same {
        // The title says them.
        grid.drop_columns(1..3);
    }
    Some(grid)
}

fn pool_grid(rows: &[&SweepRow]) -> Option<Grid> {
    let first = rows.first()?;
    let title = format!("Pooling: {} frames, context method {}", first.frames, first.context);
    let mut header: Vec<String> = ["(s_h, s_l)", "K", "s", "tokens", "memory"].map(str::to_owned).to_vec();
    header.push(first.results.metric.clone());
    let row = |row: &&SweepRow| {
        let (strides, group) = strides(row.pool);
        let mut cells = vec![strides, group, format!("{:.2}", row.scale)];
        cells.extend(cost(row));
        cells.extend(scores(&row.results).pop());
        cells
    };
    Some(Grid { title, header, rows: rows.iter().map(row).collect(), left: 1 })
}

/// `(s_h, s_l)` and K as the paper writes them.
fn strides(pool: PoolSpec) -> (String, String) {
    match pool {
        PoolSpec::Uniform { stride } => (format!("({stride}, {stride})"), NONE.into()),
        PoolSpec::Progressive { group, fine_stride, coarse_stride } => {
            (format!("({fine_stride}, {coarse_stride})"), group.to_string())
        }
    }
}

/// `(2, 8), K 4`.
fn pooling(pool: PoolSpec) -> String {
    match (strides(pool), pool) {
        ((strides, _), PoolSpec::Uniform { .. }) => strides,
        ((strides, group), _) => format!("{strides}, K {group}"),
    }
}

fn cost(row: &SweepRow) -> [String; 2] {
    let memory = row.peak_bytes.map_or(NONE.into(), human_bytes);
    [thousands(row.visual_tokens), memory]
}

/// The main breakdown's labels and the headline's name.
fn score_header(results: &Results) -> Vec<String> {
    let labels = view::primary(results).into_iter();
    let labels = labels.flat_map(|main| main.rows.iter().map(|row| view::column_label(main, row).to_owned()));
    labels.chain([results.metric.clone()]).collect()
}

/// The numbers below [`score_header`], in percent.
fn scores(results: &Results) -> Vec<String> {
    let percent = |value| format::percent(value, results.unit);
    let rows = view::primary(results).into_iter().flat_map(|main| &main.rows);
    let headline = results.value.map_or(NONE.into(), percent);
    rows.map(|row| percent(row.value)).chain([headline]).collect()
}

fn page(rows: &[SweepRow], tables: &str) -> String {
    let title = rows
        .first()
        .map_or("Sweep of nothing".into(), |row| format!("Sweep: {}", view::task_title(row.results.task)));
    let several_pools = groups(rows, |row| row.pool).len() > 1;
    let line = |group: Vec<&SweepRow>, axis: Quantity| {
        let name = match (several_pools, group.first()) {
            (_, None) => String::new(),
            (false, Some(first)) => first.context.to_string(),
            (true, Some(first)) => format!("{}, pooling {}", first.context, pooling(first.pool)),
        };
        let mut points: Vec<Point> = group.iter().filter_map(|row| point(row, axis)).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        Series { name, points }
    };
    let chart = |axis: Quantity| {
        let groups = groups(rows, |row| (row.context, row.pool)).into_iter();
        let title = format!("Accuracy (%) against {}", axis.short());
        line_chart(&LineChart { title, x: axis, series: groups.map(|group| line(group, axis)).collect() })
    };
    let axes = work::AXES.into_iter().filter(|&axis| axis != Quantity::FirstTokenSecs);
    let charts: Vec<String> = axes.filter_map(chart).collect();
    let caption = "A line a context method and pooling. Bars: 95% confidence intervals, clustered by video.";
    let charts = page::charts(&charts, caption);
    page::page(
        &title,
        &format!("<main>\n<header><h1>{}</h1></header>\n{charts}{tables}</main>\n", escape(&title)),
    )
}

fn point(row: &SweepRow, axis: Quantity) -> Option<Point> {
    let x = match axis {
        Quantity::Frames => row.frames as f64,
        Quantity::VisualTokens => row.visual_tokens,
        Quantity::PeakBytes => row.peak_bytes? as f64,
        Quantity::FirstTokenSecs => return None,
    };
    let percent = |value| format::to_percent(value, row.results.unit);
    Some(Point {
        x,
        y: percent(row.results.value?),
        y_range: row.results.ci95.map(|(low, high)| (percent(low), percent(high))),
        note: format!("{} frames, {} visual tokens", row.frames, thousands(row.visual_tokens)),
    })
}
