//! A run's numbers. `results.json` is these, and nothing that differs between two runs of the same settings.

use crate::task::{Profile, Task};
use serde::{Deserialize, Serialize};

/// The unit of [`Row::value`] and [`Results::value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// 0 to 100.
    Percent,
    /// 0 to 1 (LongVideoBench).
    Fraction,
}

/// All numbers of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What was asked.
    pub task: Task,
    /// How it was scored.
    pub profile: Profile,
    /// The headline's name: `overall`, `M-Avg`, ...
    pub metric: String,
    /// Unit of all values.
    pub unit: Unit,
    /// The headline under the profile's averaging; None where the benchmark hides its answers.
    pub value: Option<f64>,
    /// Its standard error, clustered by video, in the same unit.
    pub stderr: Option<f64>,
    /// Bounds of its 95% confidence interval, in the same unit, within the unit's range.
    pub ci95: Option<(f64, f64)>,
    /// All rows together, whatever the profile averages.
    pub all: Row,
    /// The benchmark's breakdowns, in the order of its reports.
    pub breakdowns: Vec<Breakdown>,
    /// Rows, by what became of them.
    pub counts: Counts,
    /// LongVideoBench: what drawing a random option for rows without a letter would add, in the metric's unit.
    pub expected_random_gain: Option<f64>,
    /// Samples whose annotation is imperfect.
    pub imperfect: Vec<Listed>,
    /// Samples whose video failed.
    pub failures: Vec<Listed>,
    /// Samples that no letter was found in.
    pub unparsed: Vec<String>,
}

/// A breakdown: one row a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// `duration`, `domain`, `sub_category`, `task_type`, `question_type`, `duration_group`, `question_category`.
    pub name: String,
    /// In the benchmark's order; labels that it does not know come last, by name.
    pub rows: Vec<Row>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `short`, `Overall`, ...
    pub label: String,
    /// Rows that were right.
    pub correct: usize,
    /// Rows that count.
    pub total: usize,
    /// correct / total in the results' unit; 0 without rows.
    pub value: f64,
    /// Standard error clustered by video, in the same unit; None with fewer than 2 rows.
    pub stderr: Option<f64>,
    /// Bounds of the 95% confidence interval.
    pub ci95: Option<(f64, f64)>,
}

/// Rows, by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub samples: usize,
    /// Videos.
    pub videos: usize,
    /// Those with a response.
    pub answered: usize,
    /// Those whose video failed (counted wrong).
    pub failed: usize,
    /// Responses without a letter.
    pub unparsed: usize,
    /// Rows whose gold answer is hidden.
    pub hidden_gold: usize,
}

/// A sample with a remark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its video.
    pub video_id: String,
    /// What is to be said.
    pub reason: String,
}
