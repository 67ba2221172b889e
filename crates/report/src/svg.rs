//! A small writer of SVG: numbers are always finite and texts always escaped, so that what it writes is well-formed.
//! Drawn by hand rather than with plotters, whose bitmaps need a font file and whose SVG has no titles for screen readers and no
//! dark mode.

use crate::format::{coordinate, escape};
use std::fmt::Write;

/// Light colours of the charts; a page's own style overrides them where the reader prefers dark.
pub(crate) const CHART_CSS: &str = include_str!("chart.css");

/// A picture in the making, in user units that are CSS pixels at full size.
#[derive(Debug, Clone)]
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Which end of a text stands at its x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// `attributes` are the caller's own words, such as `class="grid"`; never data.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), attributes: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {attributes}/>",
            coordinate(x1),
            coordinate(y1),
            coordinate(x2),
            coordinate(y2)
        );
    }

    pub(crate) fn rect(&mut self, at: (f64, f64), size: (f64, f64), attributes: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {attributes}/>",
            coordinate(at.0),
            coordinate(at.1),
            coordinate(size.0.max(0.0)),
            coordinate(size.1.max(0.0))
        );
    }

    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], attributes: &str) {
        let points: Vec<_> =
            points.iter().map(|&(x, y)| format!("{},{}", coordinate(x), coordinate(y))).collect();
        let _ = writeln!(self.body, "<polyline points=\"{}\" fill=\"none\" {attributes}/>", points.join(" "));
    }

    pub(crate) fn text(&mut self, at: (f64, f64), anchor: Anchor, text: &str, attributes: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = (coordinate(at.0), coordinate(at.1));
        let text = escape(text);
        let _ = writeln!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" {attributes}>{text}</text>"
        );
    }

    /// What is drawn until [`Svg::close`] belongs together; `title` is shown under the pointer and read aloud.
    pub(crate) fn open(&mut self, class: &str, title: &str) {
        let _ = write!(self.body, "<g class=\"{}\">", escape(class));
        if !title.is_empty() {
            let _ = write!(self.body, "<title>{}</title>", escape(title));
        }
        self.body.push('\n');
    }

    pub(crate) fn close(&mut self) {
        self.body.push_str("</g>\n");
    }

    /// For a page, which holds [`CHART_CSS`] once.
    pub(crate) fn inline(&self, title: &str, desc: &str) -> String {
        self.wrap(title, desc, "")
    }

    /// A file of its own, on white.
    pub(crate) fn standalone(&self, title: &str, desc: &str) -> String {
        let size = format!("width=\"{}\" height=\"{}\"", coordinate(self.width), coordinate(self.height));
        let style = format!("<style>{CHART_CSS}</style>\n<rect {size} fill=\"#fff\"/>\n");
        self.wrap(title, desc, &style)
    }

    fn wrap(&self, title: &str, desc: &str, style: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" viewBox=\"0 0 {w} {h}\" \
             width=\"{w}\" height=\"{h}\">\n<title>{}</title>\n<desc>{}</desc>\n{style}{}</svg>\n",
            escape(title),
            escape(desc),
            self.body,
            w = coordinate(self.width),
            h = coordinate(self.height),
        )
    }
}
