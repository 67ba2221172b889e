//! What a question costs once the index knows its video: the time to the first token of whole runs of `longsight ask`, each
//! in a process of its own, beside the first question's.

use crate::Report;
use crate::machine::Machine;
use crate::memory::WholeRunArgs;
use crate::seeded::{Layers, ShapeName};
use crate::table::{mib, table};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

#[derive(Debug, Clone, Args)]
pub(crate) struct SecondQuestionArgs {
    /// Frames of every run
    #[arg(long, default_value_t = 256)]
    frames: usize,
    #[command(flatten)]
    runs: WholeRunArgs,
}

/// Times to the first token.
#[derive(Debug, Serialize)]
pub(crate) struct SecondQuestion {
    machine: Machine,
    shape: ShapeName,
    layers: Layers,
    frames: usize,
    flags: Vec<String>,
    runs: Vec<Run>,
    /// Bytes on disk by kind of entry.
    index_bytes: Vec<(String, u64)>,
    /// Whether the run without an index gave the same tokens and log-probabilities as the one from the KV prefix.
    bit_equal: bool,
}

/// One question.
#[derive(Debug, Serialize)]
struct Run {
    what: &'static str,
    /// From the start of the process to its first byte of answer; in the same process from the receipt's stages.
    first_token_secs: f64,
    vision_secs: f64,
    prefill_secs: f64,
    index_secs: f64,
}

/// What is asked, first and second.
const QUESTIONS: [&str; 2] = ["What happens in this video?", "Who is speaking, and about what?"];

/// Runs the program once for each state of the index.
pub(crate) fn measure(settings: &SecondQuestionArgs) -> Result<SecondQuestion> {
    let (program, video) = (settings.runs.program()?, settings.runs.video()?);
    let model = settings.runs.model.checkpoint()?;
    let folder = settings.runs.model.work.join(format!("index-{}", std::process::id()));
    let ask = |questions: &[&str], flags: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("ask").arg(&video).arg("--model").arg(&model.folder);
        for question in questions {
            command.args(["-q", question]);
        }
        command.args(["--frames", &settings.frames.to_string(), "--max-new-tokens", "8", "--ignore-eos"]);
        command.args(["--quiet", "--logprobs", "20"]).args(flags).args(&settings.runs.flags);
        command.arg("--index-dir").arg(&folder);
        timed(command)
    };
    let outcome = runs(ask, &folder);
    let index_bytes = sizes(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    let (runs, bit_equal) = outcome?;
    Ok(SecondQuestion {
        machine: Machine::this(),
        shape: model.shape,
        layers: model.layers,
        frames: settings.frames,
        flags: settings.runs.flags.clone(),
        runs,
        index_bytes,
        bit_equal,
    })
}

type Answers = (f64, Vec<Value>);

fn runs(ask: impl Fn(&[&str], &[&str]) -> Result<Answers>, folder: &Path) -> Result<(Vec<Run>, bool)> {
    // One JSON object an answer, so the first byte comes with the first answer; short answers keep that near its first token.
    let (first_secs, first) = ask(&QUESTIONS, &["--json", "--index", "kv"])?;
    let (restart_secs, restart) = ask(&QUESTIONS[1..], &["--json", "--index", "kv"])?;
    for entry in std::fs::read_dir(folder.join("entries")).context("the index was not written")?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("kv-") {
            std::fs::remove_file(entry.path())?;
        }
    }
    let (embeddings_secs, embeddings) = ask(&QUESTIONS[1..], &["--json", "--index", "kv"])?;
    let (_, alone) = ask(&QUESTIONS[1..], &["--json", "--no-index"])?;
    let answer = |answers: &[Value], i: usize| answers.get(i).cloned().context("an answer is missing");
    let (first, second) = (answer(&first, 0)?, answer(&first, 1)?);
    let (restart, embeddings, alone) = (answer(&restart, 0)?, answer(&embeddings, 0)?, answer(&alone, 0)?);
    let same =
        |a: &Value, b: &Value| ["token_ids", "first_token_logprobs"].iter().all(|key| a[*key] == b[*key]);
    let bit_equal = [&second, &restart, &embeddings].into_iter().all(|other| same(other, &alone));
    let stages = |answer: &Value| {
        let secs = |name: &str| answer["receipt"]["timings"][name].as_f64().unwrap_or(f64::NAN);
        (secs("vision_secs"), secs("prefill_secs"), secs("index_secs"))
    };
    let run = |what, first_token_secs, answer: &Value| {
        let (vision_secs, prefill_secs, index_secs) = stages(answer);
        Run { what, first_token_secs, vision_secs, prefill_secs, index_secs }
    };
    let runs = vec![
        run("first question", first_secs, &first),
        run("second, same process", stages(&second).1, &second),
        run("second, after a restart", restart_secs, &restart),
        run("second, embeddings only", embeddings_secs, &embeddings),
    ];
    Ok((runs, bit_equal))
}

/// Seconds to the first byte of the output, and all answers.
fn timed(mut command: Command) -> Result<Answers> {
    let started = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let mut stdout = child.stdout.take().context("the output was lost")?;
    let mut first = [0];
    let count = stdout.read(&mut first).context("the run was lost")?;
    let secs = started.elapsed().as_secs_f64();
    let mut text = first[..count].to_vec();
    stdout.read_to_end(&mut text).context("the run was lost")?;
    let output = child.wait_with_output().context("the run was lost")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("a run failed: {}", said.trim().lines().last().unwrap_or("it says nothing"));
    }
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let answers = lines.map(serde_json::from_slice).collect::<Result<_, _>>();
    Ok((secs, answers.context("longsight did not print JSON")?))
}

fn sizes(folder: &Path) -> Vec<(String, u64)> {
    let files = std::fs::read_dir(folder.join("entries")).into_iter().flatten().flatten();
    let kind = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
    let size = |file: std::fs::DirEntry| {
        (kind(&file.file_name().to_string_lossy()), file.metadata().map_or(0, |data| data.len()))
    };
    let mut sizes: Vec<_> = files.map(size).collect();
    sizes.sort();
    sizes
}

impl Report for SecondQuestion {
    fn markdown(&self) -> String {
        let mut text =
            format!("{}; {} frames; flags: {}\n\n", self.machine.line(), self.frames, self.flags.join(" "));
        if let Some(note) = self.layers.note() {
            text.push_str(&format!("{note}\n\n"));
        }
        let first = self.runs.first().map_or(f64::NAN, |run| run.first_token_secs);
        let row = |run: &Run| {
            vec![
                run.what.to_owned(),
                format!("{:.2}", run.first_token_secs),
                format!("{:.2}%", 100.0 * run.first_token_secs / first),
                format!("{:.2}", run.vision_secs),
                format!("{:.2}", run.prefill_secs),
                format!("{:.2}", run.index_secs),
            ]
        };
        let titles = ["question", "first token s", "of the first", "vision s", "prefill s", "index s"];
        text += &table(&titles, &self.runs.iter().map(row).collect::<Vec<_>>());
        let sizes: Vec<String> =
            self.index_bytes.iter().map(|(kind, bytes)| format!("{kind} {} MiB", mib(*bytes))).collect();
        let equal = if self.bit_equal { "bit-equal to" } else { "NOT equal to" };
        text + &format!("\nOn disk: {}. Answers are {equal} those without an index.\n", sizes.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(ids: &[u32], prefill: f64) -> Value {
        serde_json::json!({ "token_ids": ids, "first_token_logprobs": [], "receipt": {
            "timings": { "vision_secs": 1.0, "prefill_secs": prefill, "index_secs": 0.5 } } })
    }

    fn measured(alone: &[u32]) -> (Vec<Run>, bool) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("entries")).unwrap();
        std::fs::write(folder.path().join("entries/kv-1"), b"x").unwrap();
        let ask = |questions: &[&str], flags: &[&str]| {
            let ids = if flags.contains(&"--no-index") { alone } else { &[1, 2] };
            Ok((10.0 / questions.len() as f64, questions.iter().map(|_| answer(ids, 0.25)).collect()))
        };
        runs(ask, folder.path()).unwrap()
    }

    #[test]
    fn another_answer_without_the_index_is_seen() {
        let (runs, equal) = measured(&[1, 2]);
        assert!(equal && runs.len() == 4);
        assert_eq!(runs[1].first_token_secs, 0.25, "in the same process only its prefill counts");
        assert!(!measured(&[1, 3]).1);
    }

    #[test]
    fn failures_are_one_line() {
        let mut command = Command::new("bash");
        command.args(["-c", "echo 'error: no such video' >&2; exit 1"]);
        assert_eq!(timed(command).unwrap_err().to_string(), "a run failed: error: no such video");
    }
}
