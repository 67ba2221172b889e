//! Runs `longsight` with nothing of the caller's settings, and reads what it says.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

pub struct Program {
    command: Command,
    input: Vec<u8>,
}

/// `longsight COMMAND`, without variables that would change it.
pub fn longsight(command: &str) -> Program {
    let mut program = Command::new(env!("CARGO_BIN_EXE_longsight"));
    let hub = [
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_TOKEN_PATH",
        "HF_ENDPOINT",
        "SSL_CERT_FILE",
    ];
    for name in ["LONGSIGHT_MODEL", "RUST_BACKTRACE"].iter().chain(&hub) {
        program.env_remove(name);
    }
    // Nothing may be downloaded but in the tests that bring a hub of their own.
    program.env("HF_HUB_OFFLINE", "1").env("LONGSIGHT_CACHE", env!("CARGO_TARGET_TMPDIR"));
    // What one test leaves must not answer another; tests of the index bring one of their own.
    program
        .env("LONGSIGHT_INDEX", "off")
        .env_remove("LONGSIGHT_INDEX_DIR")
        .env_remove("LONGSIGHT_INDEX_SIZE")
        .arg(command);
    Program { command: program, input: Vec::new() }
}

impl Program {
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Arguments in one text, separated by spaces.
    pub fn args(mut self, text: &str) -> Self {
        self.command.args(text.split_whitespace());
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = text.into();
        self
    }

    /// The same as the last arguments of another command.
    pub fn inside(self, mut command: Command) -> Self {
        command.arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self { command, input: self.input }
    }

    pub fn command(mut self) -> Command {
        self.command.stdin(Stdio::null());
        self.command
    }

    pub fn run(mut self) -> Outcome {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.input;
        // A program that ends early closes its input.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Outcome::from(output)
    }

    /// The standard output of a run that must succeed.
    #[track_caller]
    pub fn text(self) -> String {
        self.run().succeeded().stdout
    }

    /// The one JSON object of a run that must succeed.
    #[track_caller]
    pub fn json(self) -> Value {
        let lines = self.args("--json").run().succeeded().json_lines();
        assert_eq!(lines.len(), 1, "one object on one line");
        lines.into_iter().next().unwrap()
    }

    /// The one line of a run that must fail with exit code 1 and print nothing else.
    #[track_caller]
    pub fn failure(self) -> String {
        self.run().failed(1)
    }
}

#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8 output");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Outcome {
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The message of a failure: one line on standard error, nothing on standard output.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "");
        let message = self.stderr.strip_prefix("longsight: ").unwrap_or_else(|| panic!("{self:?}"));
        let message = message.strip_suffix('\n').unwrap_or_else(|| panic!("{self:?}"));
        assert!(!message.contains('\n'), "more than one line: {message}");
        message.to_owned()
    }

    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The message must name every part.
#[track_caller]
pub fn assert_names(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

/// `longsight ask VIDEO QUESTION` of a golden checkpoint in f32, quiet, 6 tokens at most.
pub fn ask(video: impl AsRef<OsStr>, case: &str) -> Program {
    let model = longsight_testkit::golden::checkpoint_dir(case);
    longsight("ask")
        .arg(video)
        .arg("What happens?")
        .arg("--model")
        .arg(model)
        .args("--quiet --dtype f32 --max-new-tokens 6")
}

/// Token ids of an answer.
pub fn ids(answer: &Value) -> Vec<u64> {
    answer["token_ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

/// Log-probabilities of the first token (`--logprobs all`) in order of id.
pub fn logprobs(answer: &Value) -> Vec<f64> {
    let entries = answer["first_token_logprobs"].as_array().unwrap();
    let mut pairs: Vec<(u64, f64)> =
        entries.iter().map(|e| (e["id"].as_u64().unwrap(), e["logprob"].as_f64().unwrap())).collect();
    pairs.sort_by_key(|(id, _)| *id);
    pairs.into_iter().map(|(_, logprob)| logprob).collect()
}

/// The largest difference of two answers' first-token log-probabilities.
#[track_caller]
pub fn distance(a: &Value, b: &Value) -> f64 {
    let (a, b) = (logprobs(a), logprobs(b));
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
}

/// A field of each frame of an answer or a plan.
pub fn frames<'a>(frames: &'a Value, field: &str) -> Vec<&'a Value> {
    frames.as_array().unwrap().iter().map(|frame| &frame[field]).collect()
}
