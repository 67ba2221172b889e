//! Answers made elsewhere, to be scored: our own `responses.jsonl`, lmms-eval's sample logs, and the result files of
//! the benchmarks' own scripts. What a file is, its content tells.
//!
//! | form | one entry |
//! |---|---|
//! | longsight | a [`Record`] a line |
//! | lmms-eval | `{doc_id, filtered_resps, doc?, <metric>: {...}}` a line, or all of them as `logs` of one object |
//! | Video-MME | `{video_id, duration, ..., questions: [{question_id, ..., answer, response}]}`, in a list |
//! | MLVU test | `{question_id, question_type, option}`, in a list; the right answers come from the samples |
//! | MLVU dev | `{pred, gt, question, question_type, video}`, as `res_list` of one object |

mod lmms;
mod official;

use super::items::{Fault, Items};
use super::rows::{Row, file_error, parse, row_error};
use crate::{Benchmark, Record, Result, Sample, Task};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// Lists of entries inside one object: lmms-eval's older logs, MLVU's own script.
const LISTS: [&str; 2] = ["logs", "res_list"];

/// Opens a file of answers. Memory is bounded by its longest entry.
///
/// `samples`, where given, are the task's questions: an answer is joined with its question by id (MLVU's in lmms-eval
/// logs by the question's text), and takes place, groups, options, gold and issues from it. Without them the entry must
/// hold what scoring needs. Records of foreign files are not scored yet: `prediction` is empty and `score` is 0.
///
/// Errors: the file cannot be opened. Those of entries come from the iterator, which ends after the first.
pub fn responses<'a>(task: Task, path: &Path, samples: Option<&'a [Sample]>) -> Result<Responses<'a>> {
    if path.is_dir() {
        return Err(file_error(path, "is a folder: name the file of answers in it, such as responses.jsonl"));
    }
    let open = || Items::open(path).map_err(|error| file_error(path, Fault::Io(error).message()));
    let mut items = open()?;
    // A line that is cut off ends the search too; what to say about it is said when it is read.
    if !items.enter_list(&LISTS).unwrap_or(false) {
        items = open()?;
    }
    Ok(Responses {
        items,
        path: path.into(),
        join: Join { task, samples, by_id: index(samples, task), remarks: Vec::new() },
        buffer: Vec::new(),
        number: 0,
        ready: VecDeque::new(),
        ended: false,
    })
}

/// Records of a file of answers, in its order.
#[derive(Debug)]
pub struct Responses<'a> {
    items: Items<BufReader<File>>,
    path: Arc<Path>,
    join: Join<'a>,
    buffer: Vec<u8>,
    number: usize,
    ready: VecDeque<Record>,
    ended: bool,
}

impl Responses<'_> {
    /// What the user should know of what was read so far, one line each.
    pub fn remarks(&self) -> &[String] {
        &self.join.remarks
    }

    fn read(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Ok(Some(record));
            }
            match self.items.next_into(&mut self.buffer) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                // Where a run was killed.
                Err(Fault::Truncated) => {
                    let (path, number) = (self.path.display(), self.number);
                    self.join
                        .remarks
                        .push(format!("{path}: row {number}, the last, is cut off and left out"));
                    return Ok(None);
                }
                Err(fault) => return Err(row_error(&self.path, self.number, fault.message())),
            }
            let fields = parse(&self.buffer, &self.path, self.number)?;
            let row = Row { path: self.path.clone(), number: self.number, fields };
            self.ready.extend(records(row, &mut self.join)?);
            self.number += 1;
        }
    }
}

impl Iterator for Responses<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.read();
        self.ended = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}

/// What one entry holds.
fn records(row: Row, join: &mut Join<'_>) -> Result<Vec<Record>> {
    if row.has("filtered_resps") || row.has("resps") {
        lmms::record(&row, join).map(|record| vec![record])
    } else if row.has("questions") {
        official::videomme(&row, join)
    } else if row.has("pred") && row.has("gt") {
        official::mlvu_dev(&row, join).map(|record| vec![record])
    } else if row.has("option") && row.has("question_id") {
        official::mlvu_test(&row, join).map(|record| vec![record])
    } else if row.has("id") && row.fields.contains_key("prediction") {
        let (path, number) = (row.path.clone(), row.number);
        let record = serde_json::from_value(serde_json::Value::Object(row.fields));
        record.map(|record| vec![record]).map_err(|error| row_error(&path, number, error))
    } else {
        let keys: Vec<&str> = row.fields.keys().take(8).map(String::as_str).collect();
        Err(row.error(format!(
            "is no answer of longsight, lmms-eval or the benchmarks' scripts: its keys are {}",
            super::rows::shown(&keys.join(", "))
        )))
    }
}

/// The task's questions, by id and, for MLVU, by text.
#[derive(Debug)]
struct Join<'a> {
    task: Task,
    samples: Option<&'a [Sample]>,
    /// None where two questions share the key.
    by_id: HashMap<String, Option<&'a Sample>>,
    remarks: Vec<String>,
}

/// Ids and, for MLVU, the texts that lmms-eval's logs give for ids.
fn index(samples: Option<&[Sample]>, task: Task) -> HashMap<String, Option<&Sample>> {
    let mut index = HashMap::new();
    for sample in samples.unwrap_or_default() {
        let text = (task.benchmark() == Benchmark::Mlvu).then(|| asked_text(sample));
        for key in [Some(sample.id.clone()), text].into_iter().flatten() {
            index.entry(key).and_modify(|found| *found = None).or_insert(Some(sample));
        }
    }
    index
}

/// An MLVU question as lmms-eval logs it; whether it ends with a line feed is not known.
fn asked_text(sample: &Sample) -> String {
    super::lmms_mlvu_question(sample).trim_end().into()
}

impl<'a> Join<'a> {
    /// The question of a given place, if its id or text is the expected one: several may share a text.
    fn at(&self, place: usize, id: &str) -> Option<&'a Sample> {
        let sample = self.samples?.get(place)?;
        (sample.id == id || asked_text(sample) == id).then_some(sample)
    }

    /// The sample of an id; None without samples, and where several share a text. Errors: it is not among the samples.
    fn required(&mut self, row: &Row, id: &str) -> Result<Option<&'a Sample>> {
        if self.samples.is_none() {
            return Ok(None);
        }
        match self.by_id.get(id) {
            Some(Some(sample)) => return Ok(Some(sample)),
            Some(None) => self
                .remark("questions that share their text are taken as the log has them, without their video"),
            None => {
                let id = super::rows::shown(id);
                let message = format!(
                    "the question {id} is not in the annotations: is this the right task and --data?"
                );
                return Err(row.error(message));
            }
        }
        Ok(None)
    }

    /// Says it once.
    fn remark(&mut self, remark: &str) {
        if !self.remarks.iter().any(|said| said == remark) {
            self.remarks.push(remark.into());
        }
    }
}

/// A record of a question, not scored yet.
fn record_of(sample: &Sample, response: Option<String>) -> Record {
    let failure = response.is_none().then(|| "the file holds no response".to_owned());
    Record { response, failure, ..sample.record() }
}

/// A question of which only what a log says is known.
fn known(row: &Row, id: String, video_id: String, groups: Vec<(String, String)>) -> Sample {
    Sample {
        id,
        row: row.number,
        video_id,
        video: std::path::PathBuf::new(),
        subtitles: None,
        question: String::new(),
        options: Vec::new(),
        gold: None,
        groups,
        duration_secs: None,
        subtitle_offset_secs: 0.0,
        issues: Vec::new(),
    }
}
