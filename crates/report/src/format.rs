//! Numbers and texts as people read them: the only copy, for the terminal and for the page.

/// What stands where there is no number.
pub const NONE: &str = "-";

/// `12,544`.
pub fn thousands(number: f64) -> String {
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
pub fn secs(secs: f64) -> String {
    match secs {
        s if s < 9.995 => format!("{s:.2}"),
        s if s < 99.95 => format!("{s:.1}"),
        s => thousands(s),
    }
}

/// `1 video`, `12 videos`.
pub fn counted(number: usize, what: &str) -> String {
    format!("{} {what}{}", thousands(number as f64), if number == 1 { "" } else { "s" })
}

/// Text that cannot steer a terminal or a page: control characters (escape codes, line feeds) and marks that turn the
/// direction of writing become U+FFFD.
pub fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            // Not allowed in XML, even escaped.
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// At most `width` characters, the last one `…` where something was cut.
pub fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// [`plain`] text for HTML and XML, inside elements and quoted attributes.
pub fn escape(text: &str) -> String {
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

/// A coordinate with at most two decimals; 0 for what is no number.
pub fn coordinate(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    if rounded.is_finite() && rounded != 0.0 { rounded.to_string() } else { "0".into() }
}
