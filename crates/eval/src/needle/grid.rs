//! Cells to pictures and numbers.

use super::Cell;
use crate::Result;
use crate::run::{log::lines, write_json};
use longsight_report::heatmap::Heatmap;
use longsight_report::write_atomically;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What a needle test came to.
#[derive(Debug, Clone, Serialize)]
pub struct NeedleFinished {
    /// Mean over the cells' teacher-forced scores, 0 to 1.
    pub teacher_forced: Option<f64>,
    /// The same for free-form answers.
    pub free_form: Option<f64>,
    /// Cells measured.
    pub cells: usize,
    /// Files written.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// The teacher-forced picture.
    #[serde(skip)]
    pub heatmap: Heatmap,
}

impl NeedleFinished {
    /// The teacher-forced scores for a terminal: depths down, frames across.
    pub fn table(&self) -> String {
        let map = &self.heatmap;
        let mut text = String::from("teacher-forced, 0 to 1\ndepth \\ frames");
        map.frames.iter().for_each(|frames| text.push_str(&format!("{frames:>7}")));
        for (row, depth) in map.depths_percent.iter().enumerate() {
            text.push_str(&format!("\n{depth:>13}%"));
            for column in 0..map.frames.len() {
                let score = map.score(row, column).map_or("-".into(), |score| format!("{score:.2}"));
                text.push_str(&format!("{score:>7}"));
            }
        }
        let mean = |mean: Option<f64>| mean.map_or("-".into(), |mean| format!("{mean:.4}"));
        let (forced, free) = (mean(self.teacher_forced), mean(self.free_form));
        text.push_str(&format!("\nmean {forced}, free-form answers {free}, {} cells\n", self.cells));
        text
    }
}

/// Writes heat maps (`.svg`, `.png`, `.json` in V-NIAH's form) of what a needle test's folder holds, and `results.json`.
pub fn finish(folder: &Path) -> Result<NeedleFinished> {
    let cells: Vec<Cell> = lines(&folder.join("cells.jsonl"))?.collect::<Result<_>>()?;
    let forced = heatmap(&cells, "Needle in a haystack: teacher-forced", |cell| Some(cell.forced));
    let free = heatmap(&cells, "Needle in a haystack: free-form answers", |cell| cell.free_form_right);
    let mut files = Vec::new();
    for (name, map) in [("teacher_forced", &forced), ("free_form", &free)] {
        if map.mean().is_none() {
            continue;
        }
        let path = |kind: &str| folder.join(format!("{name}.{kind}"));
        write_atomically(&path("svg"), map.svg().as_bytes())?;
        write_atomically(&path("png"), &map.png()?)?;
        write_json(&path("json"), &map.json())?;
        files.extend(["svg", "png", "json"].map(path));
    }
    let finished = NeedleFinished {
        teacher_forced: forced.mean(),
        free_form: free.mean(),
        cells: cells.len(),
        files,
        heatmap: forced,
    };
    write_json(&folder.join("results.json"), &finished)?;
    Ok(finished)
}

fn heatmap(cells: &[Cell], title: &str, score: impl Fn(&Cell) -> Option<bool>) -> Heatmap {
    let mut frames: Vec<usize> = cells.iter().map(|cell| cell.frames).collect();
    let mut depths_percent: Vec<u8> = cells.iter().map(|cell| cell.depth_percent).collect();
    frames.sort_unstable();
    frames.dedup();
    depths_percent.sort_unstable();
    depths_percent.dedup();
    let mean = |depth: u8, frames: usize| {
        let here = cells.iter().filter(|cell| cell.depth_percent == depth && cell.frames == frames);
        let scores: Vec<f64> = here.filter_map(&score).map(|right| f64::from(u8::from(right))).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    };
    let row = |depth: &u8| frames.iter().map(|count| mean(*depth, *count)).collect();
    let score = depths_percent.iter().map(row).collect();
    Heatmap { frames, depths_percent, score, title: title.into() }
}
