//! Two runs on the same questions, for the terminal and for the page.

use super::format::{self, escape};
use super::grid::Grid;
use crate::score::Unit;
use serde::{Deserialize, Serialize};

/// A paired comparison of two runs on the same questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Unit of `difference` and `ci95`.
    pub unit: Unit,
    /// Questions that both runs hold.
    pub questions: usize,
    /// Right in the first run alone.
    pub only_a: usize,
    /// Right in the second run alone.
    pub only_b: usize,
    /// Second less first.
    pub difference: f64,
    /// Bounds of the difference's 95% confidence interval.
    pub ci95: Option<(f64, f64)>,
    /// Of the null hypothesis that both are as good.
    pub p_value: Option<f64>,
    /// The test's name.
    pub test: String,
}

/// For a terminal.
pub fn comparison_text(comparison: &Comparison) -> String {
    format!(
        "second less first: {} points{}\n\n{}",
        points(comparison, comparison.difference),
        doubt(comparison),
        grid(comparison).terminal()
    )
}

/// For a page; `names` are the runs', in order.
pub(super) fn html(comparison: &Comparison, names: &[&str]) -> String {
    let name = |index: usize, else_name: &str| escape(names.get(index).copied().unwrap_or(else_name));
    format!(
        "<h2>{} against {}</h2>\n<p class=\"headline\"><strong>{}</strong> points{}</p>\n{}",
        name(1, "second run"),
        name(0, "first run"),
        points(comparison, comparison.difference),
        escape(&doubt(comparison)),
        grid(comparison).html()
    )
}

/// `+4.8`.
fn points(comparison: &Comparison, value: f64) -> String {
    format!("{:+.1}", format::to_percent(value, comparison.unit))
}

/// `, 95% CI +2.4 to +7.1, p < 0.001`, as far as it is known.
fn doubt(comparison: &Comparison) -> String {
    let interval = comparison.ci95.map_or(String::new(), |(low, high)| {
        format!(", 95% CI {} to {}", points(comparison, low), points(comparison, high))
    });
    match comparison.p_value.filter(|p| p.is_finite()) {
        None => interval,
        Some(p) if p < 0.001 => format!("{interval}, p < 0.001"),
        Some(p) => format!("{interval}, p = {p:.3}"),
    }
}

fn grid(comparison: &Comparison) -> Grid {
    let rows = [
        ("right in the first run alone", comparison.only_a),
        ("right in the second run alone", comparison.only_b),
        ("in both runs", comparison.questions),
    ];
    Grid {
        title: format!("Paired test: {}", comparison.test),
        header: vec![String::new(), "questions".into()],
        rows: rows.map(|(label, count)| vec![label.to_owned(), format::thousands(count as f64)]).to_vec(),
        left: 1,
    }
}
