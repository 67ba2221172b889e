//! What a run's questions took, as a table and as the points of the plots.

use super::measure::{Group, Measurements, Range};
use super::quantiles::Quantiles;
use longsight_engine::human_bytes;
use longsight_report::chart::{Point, Quantity};
use longsight_report::format::{NONE, secs, thousands};
use longsight_report::grid::Grid;

/// A row for each group of frames, and one for all if there are several; None where nothing was measured.
pub(super) fn grid(measurements: &Measurements) -> Option<Grid> {
    if measurements.all.questions == 0 {
        return None;
    }
    let header = [
        "frames",
        "questions",
        "visual tokens",
        "s",
        "first token s",
        "same video s",
        "answer s",
        "peak memory",
    ];
    let mut rows: Vec<_> =
        measurements.by_frames.iter().map(|group| row(span(group.frames), group)).collect();
    if rows.len() != 1 {
        rows.push(row("all".into(), &measurements.all));
    }
    Some(Grid {
        title: "What it took (seconds: median / 90th percentile)".into(),
        header: header.map(str::to_owned).to_vec(),
        rows,
        left: 1,
    })
}

fn row(label: String, group: &Group) -> Vec<String> {
    let secs = |quantiles: Option<Quantiles>| match quantiles {
        Some(q) => format!("{} / {}", secs(q.median), secs(q.p90)),
        None => NONE.into(),
    };
    vec![
        label,
        thousands(group.questions as f64),
        thousands(group.visual_tokens.mean),
        format!("{:.2}", group.scale.mean),
        secs(group.first_token_secs),
        secs(group.shared_first_token_secs),
        secs(group.total_secs),
        group.peak_bytes.map_or(NONE.into(), human_bytes),
    ]
}

fn span(range: Range) -> String {
    if range.min == range.max {
        thousands(range.min)
    } else {
        format!("{}–{}", thousands(range.min), thousands(range.max))
    }
}

/// What accuracy is plotted against.
pub(super) const AXES: [Quantity; 4] =
    [Quantity::Frames, Quantity::VisualTokens, Quantity::PeakBytes, Quantity::FirstTokenSecs];

/// Where a group stands on an axis; None where it was not measured.
pub(super) fn position(group: &Group, axis: Quantity) -> Option<f64> {
    match axis {
        Quantity::Frames => Some(group.frames.mean),
        Quantity::VisualTokens => Some(group.visual_tokens.mean),
        Quantity::PeakBytes => group.peak_bytes.map(|bytes| bytes as f64),
        Quantity::FirstTokenSecs => group.first_token_secs.map(|quantiles| quantiles.median),
    }
}

/// The accuracy of each group of frames against an axis, with the 95% interval of independent questions.
pub(super) fn points(measurements: &Measurements, axis: Quantity) -> Vec<Point> {
    let point = |group: &Group| {
        let x = position(group, axis).filter(|_| group.scored > 0)?;
        let share = group.correct as f64 / group.scored as f64;
        let note = format!("{} frames, {}/{} right", span(group.frames), group.correct, group.scored);
        Some(Point { x, y: 100.0 * share, y_range: Some(wilson(group.correct, group.scored)), note })
    };
    let mut points: Vec<_> = measurements.by_frames.iter().filter_map(point).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

/// Wilson's 95% score interval of a proportion, in percent (E. B. Wilson, JASA 22, 1927).
pub(crate) fn wilson(correct: usize, total: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    let n = total.max(1) as f64;
    let p = correct as f64 / n;
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (100.0 * (middle - half).max(0.0), 100.0 * (middle + half).min(1.0))
}
