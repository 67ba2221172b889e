//! Two runs on the same questions, for the terminal and for the page.

use super::format;
use crate::score::{Comparison, Unit};
use longsight_report::format::{counted, escape, thousands};
use longsight_report::grid::Grid;

/// For a terminal.
pub fn comparison_text(comparison: &Comparison) -> String {
    format!(
        "second run less first: {} points{}\n\n{}",
        points(comparison.difference),
        doubt(comparison),
        grid(comparison).terminal()
    )
}

/// For a page; `names` are the runs', in order.
pub(super) fn html(comparison: &Comparison, names: &[&str]) -> String {
    let name = |index: usize, else_name: &str| escape(names.get(index).copied().unwrap_or(else_name));
    format!(
        "<h2>{} against {}</h2>\n<p class=\"headline\"><strong>{}</strong> points{}</p>\n{}\
         <p class=\"soft\">The permutation test exchanges the runs video by video; McNemar's takes all questions for \
         independent, which those on one video are not.</p>\n",
        name(1, "second run"),
        name(0, "first run"),
        points(comparison.difference),
        escape(&doubt(comparison)),
        grid(comparison).html()
    )
}

/// `+4.8`.
fn points(fraction: f64) -> String {
    format!("{:+.1}", format::to_percent(fraction, Unit::Fraction))
}

/// `, 95% CI +2.4 to +7.1, p < 0.001`.
fn doubt(comparison: &Comparison) -> String {
    let interval = comparison
        .ci95
        .map_or(String::new(), |(low, high)| format!(", 95% CI {} to {}", points(low), points(high)));
    format!("{interval}, {}", probability(comparison.permutation_p))
}

fn probability(p: f64) -> String {
    match p {
        p if p < 0.001 => "p < 0.001".into(),
        p if p.is_finite() => format!("p = {p:.3}"),
        _ => "p unknown".into(),
    }
}

fn grid(comparison: &Comparison) -> Grid {
    let number = |count: usize| thousands(count as f64);
    let percent = |share: f64| format!("{}%", format::percent(share, Unit::Fraction));
    let row = |label: &str, first: String, second: String| vec![label.to_owned(), first, second];
    let (a, b) = (comparison.right_only_in_a, comparison.right_only_in_b);
    Grid {
        title: format!(
            "{} on {}",
            counted(comparison.samples, "common question"),
            counted(comparison.videos, "video")
        ),
        header: ["", "first run", "second run"].map(str::to_owned).to_vec(),
        rows: vec![
            row("right", percent(comparison.score_a), percent(comparison.score_b)),
            row("right here alone", number(a), number(b)),
            row("asked here alone", number(comparison.only_in_a), number(comparison.only_in_b)),
            row("permutation test", String::new(), probability(comparison.permutation_p)),
            row("McNemar's exact test", String::new(), probability(comparison.mcnemar_p)),
        ],
        left: 1,
    }
}
