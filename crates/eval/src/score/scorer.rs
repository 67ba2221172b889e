//! Records to results, one at a time.

use super::breakdowns::{self, MLVU_TASKS};
use super::judge::judge;
use super::sums::{Sums, stderr_of_mean_of_means};
use super::{Breakdown, Counts, Listed, Results, Row, Unit, interval};
use crate::extract::{choices, is_found};
use crate::{Averaging, Profile, Record, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Scores records under a profile, whatever they were scored under before. Holds sums by video, and the ids of samples
/// that have to be listed; the order of records does not matter.
#[derive(Debug, Clone)]
pub struct Scorer {
    task: Task,
    profile: Profile,
    all: Sums,
    /// Of every known group: its rows by label.
    groups: Vec<BTreeMap<String, Sums>>,
    videos: BTreeSet<String>,
    counts: Counts,
    /// Rows without a letter that a random draw could get right, by the number of options that it draws from.
    draws: BTreeMap<usize, usize>,
    imperfect: Vec<(usize, Listed)>,
    failures: Vec<(usize, Listed)>,
    unparsed: Vec<(usize, String)>,
}

impl Scorer {
    /// Without records yet.
    pub fn new(task: Task, profile: Profile) -> Self {
        Self {
            task,
            profile,
            all: Sums::default(),
            groups: vec![BTreeMap::new(); breakdowns::of(task).len()],
            videos: BTreeSet::new(),
            counts: Counts::default(),
            draws: BTreeMap::new(),
            imperfect: Vec::new(),
            failures: Vec::new(),
            unparsed: Vec::new(),
        }
    }

    /// Scores one record: its response is read again. A failed video counts as wrong. Under `videomme-official`, rows
    /// without a letter do not count at all (but failed videos do). Rows with a hidden answer are counted only.
    pub fn push(&mut self, record: &Record) {
        let (prediction, is_correct) = judge(record, self.profile);
        let is_parsed = is_found(self.profile.extractor(), &prediction);
        self.note(record, is_parsed);
        let is_dropped = self.profile.averaging() == Averaging::MicroOfParsed
            && record.response.is_some()
            && prediction.is_empty();
        if record.gold.is_none() || is_dropped {
            return;
        }
        self.all.add(&record.video_id, is_correct.into());
        for ((name, _), rows) in breakdowns::of(self.task).iter().zip(&mut self.groups) {
            for (_, label) in record.groups.iter().filter(|(group, _)| group == name) {
                rows.entry(label.clone()).or_default().add(&record.video_id, is_correct.into());
            }
        }
        if record.response.is_some() && !is_parsed {
            self.note_draw(record);
        }
    }

    /// Counts a record and lists it where there is something to say.
    fn note(&mut self, record: &Record, is_parsed: bool) {
        let listed = |reason: String| {
            (record.row, Listed { id: record.id.clone(), video_id: record.video_id.clone(), reason })
        };
        self.counts.samples += 1;
        self.counts.hidden_gold += usize::from(record.gold.is_none());
        if !self.videos.contains(&record.video_id) {
            self.videos.insert(record.video_id.clone());
        }
        if !record.issues.is_empty() {
            self.imperfect.push(listed(record.issues.join("; ")));
        }
        if record.response.is_none() {
            self.counts.failed += 1;
            self.failures.push(listed(record.failure.clone().unwrap_or_else(|| "no response".into())));
            return;
        }
        self.counts.answered += 1;
        if !is_parsed {
            self.counts.unparsed += 1;
            self.unparsed.push((record.row, record.id.clone()));
        }
    }

    /// Counts a row for which lmms-eval would draw a random option, if the right one is among those it draws from.
    fn note_draw(&mut self, record: &Record) {
        let letters: Vec<String> = choices(&record.options).map(|(letter, _)| letter.into()).collect();
        if record.gold.as_ref().is_some_and(|gold| letters.contains(gold)) {
            *self.draws.entry(letters.len()).or_default() += 1;
        }
    }

    /// The numbers of all records so far.
    pub fn finish(self) -> Results {
        let unit = match self.profile.averaging() {
            Averaging::Fraction => Unit::Fraction,
            _ => Unit::Percent,
        };
        let (value, stderr) = self.headline(unit);
        let gain = || total(self.draws.iter().map(|(options, rows)| *rows as f64 / *options as f64));
        let is_fraction = unit == Unit::Fraction && self.all.rows() > 0;
        Results {
            task: self.task,
            profile: self.profile,
            metric: match self.profile.averaging() {
                Averaging::TaskMean | Averaging::TaskMeanOfPresent => "M-Avg".into(),
                Averaging::Micro | Averaging::MicroOfParsed | Averaging::Fraction => "overall".into(),
            },
            unit,
            value,
            stderr,
            ci95: value.zip(stderr).and_then(|(value, stderr)| interval(value, stderr, (0.0, unit.most()))),
            all: row("Overall", &self.all, unit),
            expected_random_gain: is_fraction.then(|| gain() / self.all.rows() as f64),
            breakdowns: self.breakdowns(unit),
            counts: Counts { videos: self.videos.len(), ..self.counts },
            imperfect: in_order(self.imperfect),
            failures: in_order(self.failures),
            unparsed: in_order(self.unparsed),
        }
    }

    /// The metric and its standard error.
    fn headline(&self, unit: Unit) -> (Option<f64>, Option<f64>) {
        if self.all.rows() == 0 {
            return (None, None);
        }
        let tasks = self.task_sums();
        let of = match self.profile.averaging() {
            Averaging::TaskMean => tasks.len(),
            Averaging::TaskMeanOfPresent => tasks.iter().flatten().count(),
            Averaging::Micro | Averaging::MicroOfParsed | Averaging::Fraction => {
                return (Some(unit.of(&self.all)), self.all.stderr().map(|stderr| stderr * unit.most()));
            }
        };
        if of == 0 {
            return (None, None);
        }
        let present: Vec<&Sums> = tasks.into_iter().flatten().collect();
        let sum = total(present.iter().map(|task| unit.of(task)));
        let stderr = stderr_of_mean_of_means(&present, of);
        (Some(sum / of as f64), stderr.map(|stderr| stderr * unit.most()))
    }

    /// MLVU's tasks, in their order; None for one without rows. Tasks that MLVU does not have are not averaged.
    fn task_sums(&self) -> Vec<Option<&Sums>> {
        let groups = breakdowns::of(self.task).iter().zip(&self.groups);
        groups
            .filter(|((name, _), _)| *name == MLVU_TASKS)
            .flat_map(|((_, labels), rows)| labels.iter().map(|label| rows.get(*label)))
            .collect()
    }

    fn breakdowns(&self, unit: Unit) -> Vec<Breakdown> {
        let groups = breakdowns::of(self.task).iter().zip(&self.groups);
        let breakdown = |((name, labels), sums): (&breakdowns::Known, &BTreeMap<String, Sums>)| {
            let none = Sums::default();
            let known = labels.iter().map(|label| row(label, sums.get(*label).unwrap_or(&none), unit));
            let others = sums.iter().filter(|(label, _)| !labels.contains(&label.as_str()));
            let rows = known.chain(others.map(|(label, sums)| row(label, sums, unit)));
            // A world is asked what it was made for; a benchmark's report names all of its groups.
            let is_shown = |row: &Row| row.total > 0 || self.task != Task::World;
            Breakdown { name: (*name).into(), rows: rows.filter(is_shown).collect() }
        };
        groups.map(breakdown).collect()
    }
}

impl Unit {
    fn most(self) -> f64 {
        match self {
            Self::Percent => 100.0,
            Self::Fraction => 1.0,
        }
    }

    /// A mean as the harnesses compute it: 100 correct / total, or a fraction rounded to 5 decimals.
    fn of(self, sums: &Sums) -> f64 {
        match self {
            Self::Percent if sums.rows() == 0 => 0.0,
            Self::Percent => 100.0 * sums.sum() as f64 / sums.rows() as f64,
            // Through decimal digits, which round as Python's `round` does.
            Self::Fraction => format!("{:.5}", sums.mean()).parse().unwrap_or_default(),
        }
    }
}

fn row(label: &str, sums: &Sums, unit: Unit) -> Row {
    let value = unit.of(sums);
    let stderr = sums.stderr().map(|stderr| stderr * unit.most());
    Row {
        label: label.into(),
        correct: usize::try_from(sums.sum()).unwrap_or_default(),
        total: sums.rows(),
        value,
        stderr,
        ci95: stderr.and_then(|stderr| interval(value, stderr, (0.0, unit.most()))),
    }
}

/// A sum that is 0 for nothing; `Iterator::sum` gives -0.
fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

fn in_order<T: Ord>(mut items: Vec<(usize, T)>) -> Vec<T> {
    items.sort();
    items.into_iter().map(|(_, item)| item).collect()
}
