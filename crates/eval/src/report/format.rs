//! Numbers and texts as people read them: the only copy, for the terminal and for the page.

use crate::score::Unit;

/// What stands where there is no number.
pub(super) const NONE: &str = "-";

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

/// `12,544`.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", if number.is_finite() { number.abs() } else { 0.0 });
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.42`, `12.3`, `345`: seconds with three digits or all before the point.
pub(super) fn secs(secs: f64) -> String {
    match secs {
        s if s < 9.995 => format!("{s:.2}"),
        s if s < 99.95 => format!("{s:.1}"),
        s => thousands(s),
    }
}

/// `1 video`, `12 videos`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{} {what}{}", thousands(number as f64), if number == 1 { "" } else { "s" })
}

/// Text that cannot steer a terminal or a page: control characters (escape codes, line feeds) and marks that turn the
/// direction of writing become U+FFFD.
pub(super) fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            // Not allowed in XML, even escaped.
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// At most `width` characters, the last one `…` where something was cut.
pub(super) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// [`plain`] text for HTML and XML, inside elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
