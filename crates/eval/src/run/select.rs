//! Which of a benchmark's samples are asked.

use crate::{EvalError, Result, Sample};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// One condition on samples: `id=...`, `video=...`, or a label of the benchmark's breakdown such as `duration=short`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    key: String,
    value: String,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| format!("`{text}` is not KEY=VALUE, such as duration=short or video=abc"))?;
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

impl Filter {
    /// Some of the labels that samples have under its key.
    fn labels(&self, samples: &[Sample]) -> Vec<String> {
        const MOST: usize = 12;
        let label = |sample: &Sample| match self.key.as_str() {
            "id" => Some(sample.id.clone()),
            "video" => Some(sample.video_id.clone()),
            key => sample.groups.iter().find(|(name, _)| name == key).map(|(_, label)| label.clone()),
        };
        let mut labels: Vec<String> = Vec::new();
        for label in samples.iter().filter_map(label) {
            if labels.len() < MOST && !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    fn keeps(&self, sample: &Sample) -> bool {
        match self.key.as_str() {
            "id" => sample.id == self.value,
            "video" => sample.video_id == self.value,
            key => sample.groups.iter().any(|(name, label)| name == key && *label == self.value),
        }
    }
}

/// One of several equal parts of a run. Videos are dealt out, so that questions on one video stay together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parsed {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(format!("`{text}` is not a shard: 1/3, 2/3 and 3/3 are the three parts of a run")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Which samples are asked: those that every filter keeps, the first `limit` of them, of these the shard's videos.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Of the samples that are left, this many.
    pub limit: Option<usize>,
    /// Of these, this part.
    pub shard: Option<Shard>,
}

impl Selection {
    /// The samples selected, in their order, and how many there would be without sharding.
    ///
    /// # Errors
    /// A filter on a key that no sample has, or a selection without any sample.
    pub fn apply(&self, samples: Vec<Sample>) -> Result<(Vec<Sample>, usize)> {
        for filter in &self.filters {
            let known = |sample: &Sample| sample.groups.iter().any(|(name, _)| *name == filter.key);
            if !matches!(filter.key.as_str(), "id" | "video") && !samples.iter().any(known) {
                let names = samples.first().map(|s| s.groups.iter().map(|(name, _)| name.as_str()).collect());
                let names: Vec<&str> = names.unwrap_or_default();
                return Err(EvalError::Setting(format!(
                    "--filter {}: no such key; there are id, video, {}",
                    filter.key,
                    names.join(", ")
                )));
            }
        }
        let labels = self.filters.first().map(|filter| filter.labels(&samples)).unwrap_or_default();
        let mut kept: Vec<Sample> =
            samples.into_iter().filter(|sample| self.filters.iter().all(|f| f.keeps(sample))).collect();
        kept.truncate(self.limit.unwrap_or(usize::MAX));
        if kept.is_empty() {
            return Err(EvalError::Setting(self.why_empty(&labels)));
        }
        let total = kept.len();
        if let Some(shard) = self.shard {
            let mut numbers = HashMap::new();
            kept.retain(|sample| {
                let next = numbers.len();
                let number = *numbers.entry(sample.video_id.clone()).or_insert(next);
                number % shard.count == shard.index - 1
            });
        }
        Ok((kept, total))
    }

    fn why_empty(&self, labels: &[String]) -> String {
        match &self.filters[..] {
            _ if self.limit == Some(0) => "--limit 0 leaves no sample".into(),
            [one] => format!(
                "--filter {}={} leaves no sample; there are {}",
                one.key,
                one.value,
                labels.join(", ")
            ),
            _ => "no sample fits every --filter".into(),
        }
    }
}
