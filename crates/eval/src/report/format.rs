//! Scores as people read them.

use crate::score::Unit;
use longsight_report::format::NONE;

/// A value of the results in percent; 0 where it is no number.
pub(super) fn to_percent(value: f64, unit: Unit) -> f64 {
    let percent = if unit == Unit::Fraction { value * 100.0 } else { value };
    if percent.is_finite() { percent } else { 0.0 }
}

/// `63.4`.
pub(super) fn percent(value: f64, unit: Unit) -> String {
    format!("{:.1}", to_percent(value, unit))
}

/// The headline: `63.4%`; a fraction as lmms-eval prints it, and in percent: `0.58190 (58.2%)`.
pub(super) fn headline(value: Option<f64>, unit: Unit) -> String {
    match (value.filter(|value| value.is_finite()), unit) {
        (None, _) => "no known answers".into(),
        (Some(value), Unit::Percent) => format!("{}%", percent(value, unit)),
        (Some(value), Unit::Fraction) => format!("{value:.5} ({}%)", percent(value, unit)),
    }
}

/// `60.2–66.6`, in percent.
pub(super) fn interval(ci95: Option<(f64, f64)>, unit: Unit) -> String {
    match ci95 {
        Some((low, high)) if low.is_finite() && high.is_finite() => {
            format!("{}–{}", percent(low, unit), percent(high, unit))
        }
        _ => NONE.into(),
    }
}
