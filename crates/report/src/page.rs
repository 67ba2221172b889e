//! The frame of every page: one file, no script, nothing from elsewhere.

use crate::format::escape;
use crate::svg::CHART_CSS;

/// A whole page. The policy in its head forbids scripts and all loading but of pictures inside the page, should an escape ever be forgotten; `body` is
/// HTML.
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    let style = include_str!("page.css");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"longsight\">\n<title>{title}</title>\n<style>\n{CHART_CSS}{style}</style>\n\
         </head>\n<body>\n{body}</body>\n</html>\n"
    )
}

/// Charts beside each other; nothing where there is none.
pub fn charts(charts: &[String], caption: &str) -> String {
    if charts.is_empty() {
        return String::new();
    }
    let figures: String = charts.iter().map(|chart| format!("<figure>{chart}</figure>\n")).collect();
    format!("<div class=\"charts\">\n{figures}</div>\n<p class=\"soft\">{}</p>\n", escape(caption))
}
