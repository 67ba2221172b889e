//! Peak memory of whole runs of `longsight ask` on an hour of video, each in a process of its own.

use crate::Report;
use crate::machine::Machine;
use crate::seeded::{Layers, SeededArgs, ShapeName};
use crate::table::{mib, table};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use longsight_engine::PeakMemory;
use longsight_testkit::SyntheticVideo;
use longsight_testkit::video::Codec;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, Clone, Args)]
pub(crate) struct MemoryArgs {
    /// Numbers of frames, one run each
    #[arg(long, value_delimiter = ',', default_value = "64,128,256", value_name = "FRAMES,..")]
    frames: Vec<usize>,
    #[command(flatten)]
    runs: WholeRunArgs,
}

/// Whole runs of the program, of which each is a process of its own.
#[derive(Debug, Clone, Args)]
pub(crate) struct WholeRunArgs {
    #[command(flatten)]
    pub(crate) model: SeededArgs,
    /// The video [default: one hour of synthetic 1080p H.264, made in the --work folder]
    #[arg(long, value_name = "FILE")]
    video: Option<PathBuf>,
    /// The program [default: longsight beside this one]
    #[arg(long, value_name = "FILE")]
    longsight: Option<PathBuf>,
    /// Further flags of `longsight ask`, such as --dtype or --pool, behind --
    #[arg(last = true, value_name = "FLAGS")]
    pub(crate) flags: Vec<String>,
}

impl WholeRunArgs {
    /// The program named, or the one beside this one. Its flags must leave alone what the tables say about a run.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        let own = ["--frames", "--fps", "--max-frames", "--model", "--json", "--threads"];
        let given = |flag: &str| self.flags.iter().any(|f| f.split('=').next() == Some(flag));
        match own.into_iter().find(|flag| given(flag)) {
            Some(flag) => {
                bail!("{flag} behind --: it is set by the measurement; use its own flags before --")
            }
            None => program(self.longsight.as_ref()),
        }
    }

    /// The video named, or an hour that is made.
    pub(crate) fn video(&self) -> Result<PathBuf> {
        match &self.video {
            Some(file) => Ok(file.clone()),
            None => hour(&self.model.work),
        }
    }
}

/// Peaks against numbers of frames.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    machine: Machine,
    shape: ShapeName,
    layers: Layers,
    flags: Vec<String>,
    runs: Vec<Run>,
}

/// One run.
#[derive(Debug, Serialize)]
struct Run {
    frames: usize,
    visual_tokens: u64,
    kv_cache_bytes: u64,
    /// Largest resident memory of the process and its children, sampled from outside.
    peak_bytes: u64,
    /// The same as the run's own receipt has it.
    receipt_peak_bytes: u64,
    /// What `longsight plan` announces.
    planned_bytes: u64,
    vision_secs: f64,
    prefill_secs: f64,
}

/// Runs the program once for each number of frames.
pub(crate) fn measure(settings: &MemoryArgs, threads: Option<u16>) -> Result<Memory> {
    ensure!(!settings.frames.contains(&0), "--frames must be at least 1 each");
    let (program, video) = (settings.runs.program()?, settings.runs.video()?);
    let model = settings.runs.model.checkpoint()?;
    let ask = |frames: &usize| {
        let mut command = Command::new(&program);
        command.arg("ask").arg(&video).args(["What happens?", "--model"]).arg(&model.folder);
        command.args(["--frames", &frames.to_string(), "--max-new-tokens", "8", "--ignore-eos"]);
        command.args(["--quiet", "--json"]).args(&settings.runs.flags).env("LONGSIGHT_INDEX", "off");
        if let Some(threads) = threads {
            command.args(["--threads", &threads.to_string()]);
        }
        run(command, *frames)
    };
    Ok(Memory {
        machine: Machine::this(),
        shape: model.shape,
        layers: model.layers,
        flags: settings.runs.flags.clone(),
        runs: settings.frames.iter().map(ask).collect::<Result<_>>()?,
    })
}

/// The program named, or the one beside this one.
pub(crate) fn program(named: Option<&PathBuf>) -> Result<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("longsight"));
    if let Some(named) = named {
        ensure!(named.is_file(), "--longsight {}: no such file", named.display());
    }
    let program = named.cloned().or_else(beside).filter(|file| file.is_file());
    program.context(
        "there is no longsight beside this program: run `cargo build --release`, or name it by --longsight",
    )
}

/// One hour of 1080p, in seconds: a minute is encoded and repeated.
pub(crate) fn hour(work: &Path) -> Result<PathBuf> {
    let file = work.join("hour-1080p.mp4");
    if file.is_file() {
        return Ok(file);
    }
    let video = SyntheticVideo {
        seconds: 3600.0,
        fps: 10,
        width: 1920,
        height: 1080,
        codec: Codec::H264,
        keyframe_secs: 10.0,
        audio: false,
        segment_secs: Some(60.0),
    };
    let unfinished = work.join(format!("{}-part.mp4", std::process::id()));
    let made = std::fs::create_dir_all(work).map_err(anyhow::Error::from);
    made.and_then(|()| video.write(&unfinished).map_err(anyhow::Error::msg))
        .and_then(|()| Ok(std::fs::rename(&unfinished, &file)?))
        .with_context(|| format!("cannot make the video {}", file.display()))?;
    Ok(file)
}

/// Runs `command` to its end, watching its memory from outside.
fn run(mut command: Command, frames: usize) -> Result<Run> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let watched = PeakMemory::watch_process(child.id());
    let output = child.wait_with_output().context("the run was lost")?;
    let peak = watched.peak_bytes();
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!(
            "the run of {frames} frames failed: {}",
            text.trim().lines().last().unwrap_or("it says nothing")
        );
    }
    let receipt: Value = serde_json::from_slice(&output.stdout).context("longsight did not print JSON")?;
    let run =
        read(&receipt["receipt"], frames).context("the receipt lacks a figure; is it an older longsight?")?;
    let peak_bytes = peak.context("memory cannot be watched: this system has no /proc")?;
    Ok(Run { peak_bytes, ..run })
}

/// What the receipt says; the peak as seen from outside is not in it.
fn read(receipt: &Value, frames: usize) -> Option<Run> {
    let secs = |name: &str| receipt["timings"][name].as_f64();
    Some(Run {
        frames,
        visual_tokens: receipt["tokens"]["visual"].as_u64()?,
        kv_cache_bytes: receipt["kv_cache"]["bytes"].as_u64()?,
        peak_bytes: 0,
        receipt_peak_bytes: receipt["peak_bytes"].as_u64()?,
        planned_bytes: receipt["memory_estimate_total_bytes"].as_u64()?,
        vision_secs: secs("vision_secs")?,
        prefill_secs: secs("prefill_secs")?,
    })
}

impl Report for Memory {
    fn markdown(&self) -> String {
        let mut text = format!("{}; flags: {}\n\n", self.machine.line(), self.flags.join(" "));
        if let Some(note) = self.layers.note() {
            text.push_str(&format!("{note}\n\n"));
        }
        let titles = [
            "frames",
            "visual tokens",
            "KV cache MiB",
            "peak MiB",
            "receipt's peak MiB",
            "planned MiB",
            "planned/peak",
            "vision s",
            "prefill s",
        ];
        let rows: Vec<_> = self.runs.iter().map(Run::row).collect();
        text + &table(&titles, &rows)
    }
}

impl Run {
    fn row(&self) -> Vec<String> {
        vec![
            self.frames.to_string(),
            self.visual_tokens.to_string(),
            mib(self.kv_cache_bytes),
            mib(self.peak_bytes),
            mib(self.receipt_peak_bytes),
            mib(self.planned_bytes),
            format!("{:.3}", self.planned_bytes as f64 / self.peak_bytes as f64),
            format!("{:.1}", self.vision_secs),
            format!("{:.1}", self.prefill_secs),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_run_is_watched_from_outside_and_its_receipt_read() {
        let receipt = serde_json::json!({"receipt": {
            "tokens": {"visual": 7}, "kv_cache": {"bytes": 8}, "peak_bytes": 9, "memory_estimate_total_bytes": 10,
            "timings": {"vision_secs": 1.0, "prefill_secs": 2.0}}});
        let allocate = "x=$(head -c 33554432 /dev/zero | tr '\\0' x)";
        let run = run(shell(&format!("{allocate}; echo '{receipt}'")), 3).unwrap();
        assert_eq!((run.frames, run.visual_tokens, run.receipt_peak_bytes), (3, 7, 9));
        assert!(run.peak_bytes >= 32 << 20, "{}", run.peak_bytes);
    }

    #[test]
    fn failures_are_one_line() {
        let failed = run(shell("echo 'error: no such video' >&2; exit 1"), 3).unwrap_err();
        assert_eq!(failed.to_string(), "the run of 3 frames failed: error: no such video");
        assert!(run(shell("echo '{}'"), 3).unwrap_err().to_string().contains("receipt lacks"));
    }
}
