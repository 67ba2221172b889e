//! Charts of accuracy: one line a series, readable on a phone (360 units wide, text of 12).

use crate::format::{self, coordinate};
use crate::svg::{Anchor, Svg};
use longsight_engine::human_bytes;

const WIDTH: f64 = 360.0;
const LEFT: f64 = 34.0;
const RIGHT: f64 = 348.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 224.0;
const LEGEND_LINE: f64 = 18.0;
/// Widest character of a tick's label, in units.
const CHAR_WIDTH: f64 = 6.8;
/// Longest name in the legend, in characters.
const MAX_NAME: usize = 46;
/// From this ratio of largest to smallest on, the x axis is logarithmic.
const LOG_RATIO: f64 = 6.0;

/// What the x axis measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Frames in the prompt.
    Frames,
    /// Visual tokens in the prompt.
    VisualTokens,
    /// Largest memory of the process, in bytes.
    PeakBytes,
    /// Median time from the question to its first token, in seconds.
    FirstTokenSecs,
}

impl Quantity {
    /// `frames`, ...
    pub fn label(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::VisualTokens => "visual tokens",
            Self::PeakBytes => "peak memory",
            Self::FirstTokenSecs => "time to first token, seconds",
        }
    }

    /// As in a title.
    pub fn short(self) -> &'static str {
        if self == Self::FirstTokenSecs { "time to first token" } else { self.label() }
    }

    fn tick(self, value: f64) -> String {
        match self {
            Self::Frames | Self::VisualTokens => format::thousands(value),
            Self::PeakBytes => human_bytes(value as u64),
            Self::FirstTokenSecs => format::secs(value),
        }
    }
}

/// Accuracy in percent against a quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChart {
    /// Above the chart.
    pub title: String,
    /// The x axis.
    pub x: Quantity,
    /// The lines, in the order of the legend.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// In the legend.
    pub name: String,
    /// In the order in which the line runs.
    pub points: Vec<Point>,
}

/// A measured point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// In the chart's quantity.
    pub x: f64,
    /// Percent.
    pub y: f64,
    /// The ends of its interval, in percent.
    pub y_range: Option<(f64, f64)>,
    /// Shown under the pointer.
    pub note: String,
}

/// The chart for a page that holds the charts' style; None where no point can be drawn.
pub fn line_chart(chart: &LineChart) -> Option<String> {
    let drawn = Drawn::new(chart)?;
    Some(drawn.svg().inline(&chart.title, &drawn.description()))
}

/// The chart as a file of its own, on white; None where no point can be drawn.
pub fn line_chart_file(chart: &LineChart) -> Option<String> {
    let drawn = Drawn::new(chart)?;
    Some(drawn.svg().standalone(&chart.title, &drawn.description()))
}

/// A chart with its scales; all points are finite.
struct Drawn {
    title: String,
    quantity: Quantity,
    series: Vec<Series>,
    x: (f64, f64),
    logarithmic: bool,
    y: (f64, f64),
    y_step: f64,
}

impl Drawn {
    fn new(chart: &LineChart) -> Option<Self> {
        let finite = |point: &&Point| point.x.is_finite() && point.y.is_finite();
        let series: Vec<Series> = chart
            .series
            .iter()
            .map(|one| Series {
                name: one.name.clone(),
                points: one.points.iter().filter(finite).cloned().collect(),
            })
            .filter(|one| !one.points.is_empty())
            .collect();
        let points = || series.iter().flat_map(|one| &one.points);
        let x = bounds(points().map(|point| point.x))?;
        let ends = |point: &Point| {
            let (low, high) = point.y_range.unwrap_or((point.y, point.y));
            [low.min(point.y), high.max(point.y)]
        };
        let (low, high) = bounds(points().flat_map(ends))?;
        let y_step = y_step(high - low);
        let y = (((low / y_step).floor() * y_step).max(0.0), ((high / y_step).ceil() * y_step).min(100.0));
        let y = if y.1 - y.0 < y_step { ((y.0 - y_step).max(0.0), (y.0 + y_step).min(100.0)) } else { y };
        let logarithmic = x.0 > 0.0 && x.1 / x.0 >= LOG_RATIO;
        Some(Self { title: chart.title.clone(), quantity: chart.x, series, x, logarithmic, y, y_step })
    }

    fn x_at(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.ln() } else { value };
        let (low, high) = (scale(self.x.0), scale(self.x.1));
        let share = if high > low { (scale(value) - low) / (high - low) } else { 0.5 };
        // Points stand clear of the axis and of the right edge.
        LEFT + 24.0 + share * (RIGHT - LEFT - 48.0)
    }

    fn y_at(&self, value: f64) -> f64 {
        let share = (value.clamp(self.y.0, self.y.1) - self.y.0) / (self.y.1 - self.y.0);
        BOTTOM - share * (BOTTOM - TOP)
    }

    fn svg(&self) -> Svg {
        let legend_lines = if self.series.len() > 1 { self.series.len() } else { 0 };
        let mut svg = Svg::new(WIDTH, BOTTOM + 42.0 + legend_lines as f64 * LEGEND_LINE);
        svg.text((4.0, 15.0), Anchor::Start, &self.title, "class=\"name\"");
        self.draw_y_axis(&mut svg);
        self.draw_x_axis(&mut svg);
        for (index, series) in self.series.iter().enumerate() {
            self.draw_series(&mut svg, index, series);
        }
        for (index, series) in self.series.iter().enumerate().take(legend_lines) {
            let y = BOTTOM + 56.0 + index as f64 * LEGEND_LINE;
            svg.open(&color_class(index), "");
            svg.line((8.0, y - 4.0), (32.0, y - 4.0), &line_style(index));
            draw_mark(&mut svg, index, (20.0, y - 4.0));
            svg.close();
            svg.text((40.0, y), Anchor::Start, &format::clip(&format::plain(&series.name), MAX_NAME), "");
        }
        svg
    }

    fn draw_y_axis(&self, svg: &mut Svg) {
        let steps = ((self.y.1 - self.y.0) / self.y_step).round() as usize;
        for step in 0..=steps {
            let value = self.y.0 + step as f64 * self.y_step;
            let y = self.y_at(value);
            svg.line((LEFT, y), (RIGHT, y), "class=\"grid\"");
            svg.text((LEFT - 5.0, y + 4.0), Anchor::End, &format::thousands(value), "");
        }
    }

    /// Ticks stand where points are; those whose labels would touch are left out.
    fn draw_x_axis(&self, svg: &mut Svg) {
        svg.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "class=\"axis\"");
        let mut values: Vec<f64> =
            self.series.iter().flat_map(|one| &one.points).map(|point| point.x).collect();
        values.sort_by(f64::total_cmp);
        let mut free_from = f64::NEG_INFINITY;
        for value in values {
            let label = self.quantity.tick(value);
            let half = label.chars().count() as f64 * CHAR_WIDTH / 2.0;
            let x = self.x_at(value);
            let center = x.clamp(half, WIDTH - half);
            if center - half < free_from {
                continue;
            }
            free_from = center + half + CHAR_WIDTH;
            svg.line((x, BOTTOM), (x, BOTTOM + 4.0), "class=\"axis\"");
            svg.text((center, BOTTOM + 17.0), Anchor::Middle, &label, "");
        }
        let scale = if self.logarithmic { " (logarithmic)" } else { "" };
        let label = format!("{}{scale}", self.quantity.label());
        svg.text(((LEFT + RIGHT) / 2.0, BOTTOM + 34.0), Anchor::Middle, &label, "");
    }

    fn draw_series(&self, svg: &mut Svg, index: usize, series: &Series) {
        let shift = self.shift(index);
        let place = |point: &Point| (self.x_at(point.x) + shift, self.y_at(point.y));
        svg.open(&color_class(index), "");
        let places: Vec<_> = series.points.iter().map(place).collect();
        if places.len() > 1 {
            svg.polyline(&places, &line_style(index));
        }
        for (point, &(x, y)) in series.points.iter().zip(&places) {
            svg.open("point", &format!("{}: {:.1}%, {}", series.name, point.y, point.note));
            if let Some((low, high)) = point.y_range {
                svg.line((x, self.y_at(low)), (x, self.y_at(high)), "class=\"range\"");
            }
            draw_mark(svg, index, (x, y));
            svg.close();
        }
        svg.close();
    }

    /// Series that share an x stand a little beside each other, so that none hides another.
    fn shift(&self, index: usize) -> f64 {
        let mut xs: Vec<f64> = self.series.iter().flat_map(|one| &one.points).map(|point| point.x).collect();
        xs.sort_by(f64::total_cmp);
        let shared = xs.windows(2).any(|pair| pair[0] == pair[1]);
        let count = self.series.len() as f64;
        if shared { (index as f64 - (count - 1.0) / 2.0) * (32.0 / count).min(6.0) } else { 0.0 }
    }

    /// All points in words.
    fn description(&self) -> String {
        let point = |point: &Point| format!("{:.1}% at {}", point.y, self.quantity.tick(point.x));
        let series = self.series.iter().map(|one| {
            format!("{}: {}.", one.name, one.points.iter().map(point).collect::<Vec<_>>().join(", "))
        });
        format!("Accuracy against {}. {}", self.quantity.label(), series.collect::<Vec<_>>().join(" "))
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |bounds, value| match bounds {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// The smallest step that covers a range of percents in at most 5 steps.
fn y_step(range: f64) -> f64 {
    [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| range / step <= 5.0).unwrap_or(20.0)
}

fn color_class(index: usize) -> String {
    format!("s{}", index % 8)
}

/// Lines differ in their dashes too, not in colour alone.
fn line_style(index: usize) -> String {
    let dashes = ["", "6 3", "2 3", "8 3 2 3", "4 2"][index % 5];
    format!("class=\"line\" stroke-dasharray=\"{}\"", if dashes.is_empty() { "none" } else { dashes })
}

/// Marks differ in shape too: circle, square, diamond, tall and wide bar.
fn draw_mark(svg: &mut Svg, index: usize, (x, y): (f64, f64)) {
    let (width, height, round, turn) = [
        (9.0, 9.0, 4.5, 0),
        (8.0, 8.0, 0.0, 0),
        (8.0, 8.0, 0.0, 45),
        (5.0, 11.0, 0.0, 0),
        (11.0, 5.0, 0.0, 0),
    ][index % 5];
    let style = format!(
        "class=\"mark\" rx=\"{round}\" transform=\"rotate({turn} {} {})\"",
        coordinate(x),
        coordinate(y)
    );
    svg.rect((x - width / 2.0, y - height / 2.0), (width, height), &style);
}
