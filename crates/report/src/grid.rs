//! A table as cells, written in three forms.

use crate::format::{clip, escape, plain};

/// Widest label in a terminal.
const MAX_LABEL_WIDTH: usize = 34;

/// Cells under a header; the first `left` columns are texts, the others numbers.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    /// What it shows.
    pub title: String,
    /// A cell a column.
    pub header: Vec<String>,
    /// As many cells a row as the header has.
    pub rows: Vec<Vec<String>>,
    /// Columns of texts, at the left.
    pub left: usize,
}

impl Grid {
    /// For a terminal: columns of spaces; the title in the corner if that is free, else above.
    pub fn terminal(&self) -> String {
        let shown = |cell: &String| clip(&plain(cell), MAX_LABEL_WIDTH);
        let mut lines: Vec<Vec<String>> =
            [&self.header].into_iter().chain(&self.rows).map(|row| row.iter().map(shown).collect()).collect();
        let mut text = String::new();
        match lines[0].first_mut().filter(|corner| corner.is_empty()) {
            Some(corner) => *corner = shown(&self.title),
            None => text = format!("{}\n", plain(&self.title)),
        }
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        for row in &lines {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column < self.left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// For a paper's draft: a GitHub table under its title in bold.
    pub fn markdown(&self) -> String {
        let line = |row: &[String]| {
            let cells = row
                .iter()
                .map(|cell| plain(cell).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;"));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = (0..self.header.len()).map(|column| if column < self.left { "---" } else { "---:" });
        let rule = rule.collect::<Vec<_>>().join("|");
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("**{}**\n\n{}|{rule}|\n{rows}", plain(&self.title), line(&self.header))
    }

    /// For a page: a table with its caption, in a box that scrolls where a phone is too narrow.
    pub fn html(&self) -> String {
        let class = |column: usize| if column < self.left { "" } else { " class=\"n\"" };
        let header = self.header.iter().enumerate();
        let header: String = header
            .map(|(column, cell)| format!("<th scope=\"col\"{}>{}</th>", class(column), escape(cell)))
            .collect();
        let cell = |(column, cell): (usize, &String)| match column {
            0 => format!("<th scope=\"row\"{}>{}</th>", class(0), escape(cell)),
            _ => format!("<td{}>{}</td>", class(column), escape(cell)),
        };
        let row = |row: &Vec<String>| {
            format!("<tr>{}</tr>\n", row.iter().enumerate().map(cell).collect::<String>())
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!(
            "<div class=\"scroll\"><table>\n<caption>{}</caption>\n<thead><tr>{header}</tr></thead>\n\
             <tbody>\n{rows}</tbody>\n</table></div>\n",
            escape(&self.title)
        )
    }

    /// Takes columns away.
    pub fn drop_columns(&mut self, columns: std::ops::Range<usize>) {
        for row in std::iter::once(&mut self.header).chain(&mut self.rows) {
            let (start, end) = (columns.start.min(row.len()), columns.end.min(row.len()));
            row.drain(start..end.max(start));
        }
    }
}
