//! Benchmark folders made by hand from one short clip, and runs on them.

use crate::program::{Program, longsight};
use crate::video::clip;
use longsight_testkit::golden::checkpoint_dir;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub const CASE: &str = "d32-gqa-tied";

/// `longsight eval TASK --data DATA --out OUT`, quiet, four frames, of a model with random weights: answers are drawn, so
/// that they differ between questions and hold letters by chance.
pub fn eval(task: &str, data: &Path, out: &Path) -> Program {
    eval_with(CASE, task, data, out)
}

/// The same of another golden checkpoint.
pub fn eval_with(case: &str, task: &str, data: &Path, out: &Path) -> Program {
    let program = longsight("eval").arg(task).arg("--data").arg(data).arg("--out").arg(out);
    let program = program.arg("--model").arg(checkpoint_dir(case)).args("--quiet --dtype f32 --frames 4");
    program.args("--temperature 1 --ignore-eos --max-new-tokens 48")
}

/// A folder for a benchmark and its runs.
pub struct Bench {
    folder: tempfile::TempDir,
    /// As typed.
    pub task: &'static str,
}

impl Bench {
    pub fn empty(task: &'static str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), task };
        std::fs::create_dir(bench.data()).unwrap();
        bench
    }

    /// Video-MME with videos `v0`, `v1`, ..., three questions each; `change` sees every row before it is written.
    pub fn videomme(videos: usize, mut change: impl FnMut(usize, &mut Value)) -> Self {
        let bench = Self::empty("videomme");
        let rows: Vec<Value> = (0..videos * 3)
            .map(|row| {
                let mut value = videomme_row(row);
                change(row, &mut value);
                value
            })
            .collect();
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        bench.write("test.jsonl", lines);
        (0..videos).for_each(|video| bench.add_clip(&format!("data/v{video}.mp4")));
        bench
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place for a run.
    pub fn run_folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the benchmark.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.data().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn add_clip(&self, name: &str) {
        self.write(name, std::fs::read(clip()).unwrap());
    }

    /// The program about to run this benchmark into a folder of this name.
    pub fn eval(&self, run: &str) -> Program {
        eval(self.task, &self.data(), &self.run_folder(run))
    }

    /// A whole run, and its folder.
    #[track_caller]
    pub fn run(&self, run: &str) -> PathBuf {
        self.eval(run).text();
        self.run_folder(run)
    }
}

/// Row 4 is question 2 of `v1`.
pub fn videomme_row(row: usize) -> Value {
    let (video, number) = (row / 3, row % 3 + 1);
    let duration = ["short", "medium", "long"][video % 3];
    let task_type = ["OCR Problems", "Counting Problem", "Temporal Reasoning"][row % 3];
    let when = ["first", "in the middle", "at the very end"][row % 3];
    let answer = ["A", "B", "C", "D"][row % 4];
    json!({
        "video_id": format!("{:03}", video + 1),
        "duration": duration,
        "domain": "Knowledge",
        "sub_category": "Astronomy",
        "url": "https://example.org",
        "videoID": format!("v{video}"),
        "question_id": format!("{:03}-{number}", video + 1),
        "task_type": task_type,
        "question": format!("What is seen {when}?"),
        "options": ["A. Red.", "B. Blue.", "C. Green.", "D. Grey."],
        "answer": answer,
    })
}

/// A row of MLVU's `1_plotQA.json`.
pub fn mlvu_row(question: &str) -> Value {
    json!({
        "video": "a.mp4",
        "duration": 3.0,
        "question": question,
        "candidates": ["Red", "Blue", "Green", "Grey"],
        "answer": "Green",
        "question_type": "plotQA",
    })
}

/// A row of LongVideoBench's raw form.
pub fn longvideobench_row(id: &str, question: &str) -> Value {
    json!({
        "id": id,
        "video_id": "a",
        "video_path": "a.mp4",
        "subtitle_path": "a_en.json",
        "correct_choice": 1,
        "question": question,
        "candidates": ["Red", "Blue", "Green", "Grey"],
        "duration": 3.0,
        "duration_group": 15,
        "question_category": "S2E",
        "topic_category": "Tests",
        "level": "L1-Perception",
        "starting_timestamp_for_subtitles": 0.0,
    })
}

pub fn read_json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The objects of a file of JSON lines.
pub fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A run's records in the order of answering.
pub fn records(run: &Path) -> Vec<Value> {
    json_lines(&run.join("responses.jsonl"))
}

/// By id.
pub type Answers = BTreeMap<String, [Value; 3]>;

/// What a run answered: response, prediction, receipt digest. No sample may be there twice.
pub fn answers(run: &Path) -> Answers {
    let records = records(run);
    let count = records.len();
    let of = |record: Value| {
        let parts = ["response", "prediction", "receipt_digest"].map(|key| record[key].clone());
        (record["id"].as_str().unwrap().to_owned(), parts)
    };
    let answers: Answers = records.into_iter().map(of).collect();
    assert_eq!(answers.len(), count, "a sample was asked twice");
    answers
}

#[track_caller]
pub fn assert_same_answers(a: &Answers, b: &Answers) {
    assert!(a.keys().eq(b.keys()), "other samples");
    a.iter().for_each(|(id, answer)| assert_eq!(answer, &b[id], "sample {id}"));
}

pub fn results(run: &Path) -> Value {
    read_json(run.join("results.json"))
}
