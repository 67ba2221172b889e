//! The needle test's picture: frames from left to right, depth from top to bottom, the score as a colour.
//!
//! Drawn by hand rather than with plotters: its bitmap backend needs a font file, and its SVG has neither titles for
//! readers nor styles for dark pages; both pictures here are some hundred lines.

mod canvas;
mod color;

use crate::format::{clip, plain};
use crate::svg::{Anchor, Svg};
use crate::{ReportError, Result};
use canvas::{CHAR_WIDTH, Canvas, Pixels, SvgCanvas};
use serde::Serialize;

/// More columns or rows than this are refused as a PNG.
const MAX_CELLS: usize = 1024;
/// All sizes are in units: CSS pixels of the SVG, two pixels of the PNG.
const LEFT: u32 = 48;
const TOP: u32 = 48;
const CELL_HEIGHT: u32 = 28;
const WIDTH_OF_CELLS: u32 = 600;
const LEGEND_WIDTH: u32 = 76;
const FOOT: u32 = 48;
const LEGEND_STEPS: u32 = 28;

/// Scores of a needle test.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// Frames of each column, rising.
    pub frames: Vec<usize>,
    /// Depth of each row in percent, rising.
    pub depths_percent: Vec<u8>,
    /// `score[row][column]`, 0 to 1: the mean over needles; None (or missing) where nothing was measured.
    pub score: Vec<Vec<Option<f64>>>,
    /// Above the picture.
    pub title: String,
}

/// A measured cell as LongVA's `vision_niah` writes it.
#[derive(Serialize)]
struct Cell {
    #[serde(rename = "Num. Frame")]
    frames: usize,
    #[serde(rename = "Frame Depth")]
    depth: f64,
    #[serde(rename = "Score")]
    score: f64,
}

impl Heatmap {
    /// The score of a cell; None where nothing was measured.
    pub fn score(&self, row: usize, column: usize) -> Option<f64> {
        self.score.get(row)?.get(column).copied().flatten().filter(|score| score.is_finite())
    }

    /// Mean over the measured cells.
    pub fn mean(&self) -> Option<f64> {
        let scores: Vec<f64> = self.cells().filter_map(|(row, column)| self.score(row, column)).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }

    /// List of `{"Num. Frame", "Frame Depth", "Score"}` by frames, then depth; the depth in percent, rounded to tens
    /// (half to even). Cells without a score are left out.
    pub fn json(&self) -> serde_json::Value {
        let cells = (0..self.frames.len()).flat_map(|column| {
            (0..self.depths_percent.len()).filter_map(move |row| {
                let depth = (f64::from(self.depths_percent[row]) / 10.0).round_ties_even() * 10.0;
                Some(Cell { frames: self.frames[column], depth, score: self.score(row, column)? })
            })
        });
        cells.map(|cell| serde_json::json!(cell)).collect()
    }

    /// A file of its own, on white.
    pub fn svg(&self) -> String {
        let (width, height) = self.size();
        let mut canvas = SvgCanvas(Svg::new(f64::from(width), f64::from(height)));
        self.draw(&mut canvas);
        canvas.0.standalone(&self.title, &self.description())
    }

    /// The same picture in pixels, two to a unit.
    ///
    /// # Errors
    /// Above 1,024 columns or rows.
    pub fn png(&self) -> Result<Vec<u8>> {
        let cells = self.frames.len().max(self.depths_percent.len());
        if cells > MAX_CELLS {
            let message =
                format!("a heat map of {cells} columns or rows: at most {MAX_CELLS} fit a PNG; take the SVG");
            return Err(ReportError::Picture(message));
        }
        let (width, height) = self.size();
        let mut canvas = Pixels::new(width, height);
        self.draw(&mut canvas);
        canvas
            .png()
            .map_err(|error| ReportError::Picture(format!("the heat map cannot be written as PNG: {error}")))
    }

    fn cells(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.depths_percent.len()).flat_map(|row| (0..self.frames.len()).map(move |column| (row, column)))
    }

    fn cell_width(&self) -> u32 {
        (WIDTH_OF_CELLS / (self.frames.len() as u32).max(1)).clamp(10, 64)
    }

    fn grid_size(&self) -> (u32, u32) {
        (self.cell_width() * self.frames.len() as u32, CELL_HEIGHT * self.depths_percent.len() as u32)
    }

    /// Width and height in units.
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.grid_size();
        // Room for the words below the columns, and for the legend beside few rows.
        (LEFT + width.max(200) + LEGEND_WIDTH, TOP + height.max(112) + FOOT)
    }

    fn draw(&self, canvas: &mut dyn Canvas) {
        let (width, height) = self.grid_size();
        let columns = (self.size().0 / CHAR_WIDTH) as usize;
        canvas.text(
            (8, 14),
            Anchor::Start,
            &clip(&plain(&self.title), columns.saturating_sub(2)),
            color::INK,
        );
        canvas.text((8, TOP - 12), Anchor::Start, "depth", color::INK);
        self.draw_cells(canvas);
        self.draw_labels(canvas);
        let mean = self.mean().map_or(String::new(), |mean| format!(" (mean score {mean:.4})"));
        canvas.text((LEFT, TOP + height + 34), Anchor::Start, &format!("frames{mean}"), color::INK);
        draw_legend(canvas, LEFT + width.max(200) + 16);
    }

    fn draw_cells(&self, canvas: &mut dyn Canvas) {
        let width = self.cell_width();
        for (row, column) in self.cells() {
            let at = (LEFT + column as u32 * width, TOP + row as u32 * CELL_HEIGHT);
            let score = self.score(row, column);
            let fill = score.map_or(color::EMPTY, color::ramp);
            let value = score.map_or("-".into(), |score| format!("{score:.2}"));
            let note =
                format!("{} frames, depth {}%: {value}", self.frames[column], self.depths_percent[row]);
            // A unit of white between cells.
            canvas.rect(at, (width - 1, CELL_HEIGHT - 1), fill, &note);
            if value.len() as u32 * CHAR_WIDTH + 2 <= width {
                let center = (at.0 + width / 2, at.1 + CELL_HEIGHT / 2);
                canvas.text(center, Anchor::Middle, &value, color::ink_on(fill));
            }
        }
    }

    /// Every row's depth; frames as far as their labels do not touch.
    fn draw_labels(&self, canvas: &mut dyn Canvas) {
        let (width, height) = (self.cell_width(), self.grid_size().1);
        for (row, depth) in (0u32..).zip(&self.depths_percent) {
            let center = TOP + row * CELL_HEIGHT + CELL_HEIGHT / 2;
            canvas.text((LEFT - 8, center), Anchor::End, &format!("{depth}%"), color::INK);
        }
        let mut free_from = 0;
        for (column, frames) in (0u32..).zip(&self.frames) {
            let label = frames.to_string();
            let half = label.len() as u32 * CHAR_WIDTH / 2;
            let center = LEFT + column * width + width / 2;
            if center >= free_from + half {
                canvas.text((center, TOP + height + 14), Anchor::Middle, &label, color::INK);
                free_from = center + half + CHAR_WIDTH;
            }
        }
    }

    fn description(&self) -> String {
        let mean = self.mean().map_or("nothing measured".into(), |mean| format!("mean {mean:.4}"));
        let ends = |list: Vec<String>| match (list.first(), list.last()) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => "none".into(),
        };
        let frames = ends(self.frames.iter().map(usize::to_string).collect());
        let depths = ends(self.depths_percent.iter().map(u8::to_string).collect());
        format!("Score from 0 to 1 by frames ({frames}) and depth in percent ({depths}); {mean}.")
    }
}

/// A bar from 1 (above) to 0.
fn draw_legend(canvas: &mut dyn Canvas, left: u32) {
    let step_height = 112 / LEGEND_STEPS;
    for step in 0..LEGEND_STEPS {
        let score = 1.0 - f64::from(step) / f64::from(LEGEND_STEPS - 1);
        canvas.rect((left, TOP + step * step_height), (14, step_height), color::ramp(score), "");
    }
    for (label, y) in [("1", 4), ("0.5", 56), ("0", 108)] {
        canvas.text((left + 20, TOP + y), Anchor::Start, label, color::INK);
    }
    canvas.text((left, TOP - 12), Anchor::Start, "score", color::INK);
}
