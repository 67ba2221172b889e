//! Markdown tables.

/// Lines of a table with these column titles.
pub(crate) fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let line =
        |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut text = line(&mut titles.iter().copied());
    text.push_str(&format!("|{}\n", "---|".repeat(titles.len())));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// Bytes in MiB, with one digit.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    #[test]
    fn has_a_line_a_row() {
        let text = super::table(&["a", "b"], &[vec!["1".into(), super::mib(3 << 19)]]);
        assert_eq!(text, "| a | b |\n|---|---|\n| 1 | 1.5 |\n");
    }
}
