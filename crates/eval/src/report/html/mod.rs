//! The report as a page.

mod run;

use super::comparison;
use super::format;
use super::measure::Measurements;
use super::{view, work};
use crate::score::{Comparison, Results};
use longsight_engine::human_bytes;
use longsight_report::chart::{LineChart, Point, Quantity, Series, line_chart};
use longsight_report::format::{NONE, escape, secs, thousands};
use longsight_report::grid::Grid;
use longsight_report::page::{charts, page};

/// What a report shows.
#[derive(Debug, Clone, Default)]
pub struct ReportInput {
    /// One run, or several to compare, in the order to show them in.
    pub runs: Vec<RunSummary>,
    /// The paired test of two runs.
    pub comparison: Option<Comparison>,
}

/// One run.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// The run's name, such as its folder's.
    pub name: String,
    /// Its numbers.
    pub results: Results,
    /// What it took.
    pub measurements: Measurements,
    /// Its manifest; shown key by key.
    pub manifest: serde_json::Value,
}

/// One self-contained page: no script, nothing loaded from elsewhere, light and dark, for phones, screens and paper.
pub fn html(input: &ReportInput) -> String {
    let title = title(input);
    let mut body = String::new();
    if let [run] = &input.runs[..] {
        body += &format!("<header>\n<h1>{}</h1>\n{}</header>\n", escape(&title), run::headline(run));
        body += &run::breakdowns(run);
        body += &plots(input);
        body += &run::details(run);
    } else {
        body += &format!("<header>\n<h1>{}</h1>\n</header>\n{}", escape(&title), runs_grid(input).html());
        let names = input.runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>();
        body += &input.comparison.as_ref().map(|one| comparison::html(one, &names)).unwrap_or_default();
        body += &plots(input);
        for run in &input.runs {
            let name = escape(&run.name);
            let (headline, breakdowns, details) =
                (run::headline(run), run::breakdowns(run), run::details(run));
            body += &format!("<section>\n<h2>{name}</h2>\n{headline}{breakdowns}{details}</section>\n");
        }
    }
    page(&title, &format!("<main>\n{body}</main>\n"))
}

fn title(input: &ReportInput) -> String {
    match &input.runs[..] {
        [] => "No runs".into(),
        [run] => view::task_title(run.results.task).into(),
        [first, others @ ..] => {
            let task = first.results.task;
            let same = others.iter().all(|run| run.results.task == task);
            let what = if same { view::task_title(task) } else { "Several tasks" };
            format!("{what}: {} runs", input.runs.len())
        }
    }
}

fn runs_grid(input: &ReportInput) -> Grid {
    let header = [
        "run",
        "task",
        "profile",
        "result",
        "95% CI",
        "frames",
        "visual tokens",
        "first token s",
        "peak memory",
    ];
    let row = |run: &RunSummary| {
        let (results, all) = (&run.results, &run.measurements.all);
        let measured = |text: String| if all.questions > 0 { text } else { NONE.into() };
        vec![
            run.name.clone(),
            view::task_title(results.task).to_owned(),
            results.profile.to_string(),
            format::headline(results.value, results.unit),
            format::interval(results.ci95, results.unit),
            measured(thousands(all.frames.mean)),
            measured(thousands(all.visual_tokens.mean)),
            all.first_token_secs.map_or(NONE.into(), |quantiles| secs(quantiles.median)),
            all.peak_bytes.map_or(NONE.into(), human_bytes),
        ]
    };
    Grid {
        title: "Runs".into(),
        header: header.map(str::to_owned).to_vec(),
        rows: input.runs.iter().map(row).collect(),
        left: 3,
    }
}

/// Accuracy against what it cost. A run alone shows its own questions by frames, if they differ in frames.
fn plots(input: &ReportInput) -> String {
    let alone = match &input.runs[..] {
        [run] if run.measurements.by_frames.len() > 1 => Some(run),
        _ => None,
    };
    let chart = |axis: Quantity| {
        let series = match alone {
            Some(run) => {
                vec![Series { name: run.name.clone(), points: work::points(&run.measurements, axis) }]
            }
            None => input.runs.iter().map(|run| run_series(run, axis)).collect(),
        };
        line_chart(&LineChart { title: format!("Accuracy (%) against {}", axis.short()), x: axis, series })
    };
    let drawn: Vec<String> = work::AXES.into_iter().filter_map(chart).collect();
    let caption = match alone {
        Some(_) => {
            "This run's questions, grouped by the frames in their prompts: groups hold different questions. \
                    Bars: 95% Wilson intervals, as if all questions were independent."
        }
        None => "Each run is one point. Bars: 95% confidence intervals, clustered by video.",
    };
    if drawn.is_empty() {
        String::new()
    } else {
        format!("<h2>Accuracy and cost</h2>\n{}", charts(&drawn, caption))
    }
}

fn run_series(run: &RunSummary, axis: Quantity) -> Series {
    let results = &run.results;
    let all = &run.measurements.all;
    let percent = |value| format::to_percent(value, results.unit);
    let point =
        results.value.filter(|_| all.questions > 0).zip(work::position(all, axis)).map(|(value, x)| Point {
            x,
            y: percent(value),
            y_range: results.ci95.map(|(low, high)| (percent(low), percent(high))),
            note: format!("{}/{} right", results.all.correct, results.all.total),
        });
    Series { name: run.name.clone(), points: point.into_iter().collect() }
}
