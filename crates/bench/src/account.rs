//! Where the bytes of a run go, computed by `longsight plan` for published shapes and an hour of 1080p. Nothing is loaded:
//! the checkpoints have headers, and holes for weights.

use crate::Report;
use crate::memory::{hour, program};
use crate::seeded::{SeededArgs, ShapeName};
use crate::table::{mib, table};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, Args)]
pub(crate) struct AccountArgs {
    /// Published sizes
    #[arg(long, value_enum, value_delimiter = ',', default_value = "0.5b,7b,72b")]
    shapes: Vec<ShapeName>,
    /// Numbers of frames
    #[arg(long, value_delimiter = ',', default_value = "64,256,1024,2048", value_name = "FRAMES,..")]
    frames: Vec<usize>,
    /// Dtypes, TEXT or TEXT/VISION/KV
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "bf16,q8_0,q8_0/int8/q8,q4k,q4k/int8/q8",
        value_name = "DTYPE,.."
    )]
    dtypes: Vec<String>,
    /// Folder in which headers and the video are kept
    #[arg(long, default_value = "target/bench", value_name = "FOLDER")]
    work: PathBuf,
    /// The program [default: longsight beside this one]
    #[arg(long, value_name = "FILE")]
    longsight: Option<PathBuf>,
}

/// A row for each shape, dtype and number of frames.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    shape: ShapeName,
    dtypes: String,
    frames: usize,
    visual_tokens: u64,
    weights_bytes: u64,
    kv_cache_bytes: u64,
    work_bytes: u64,
    video_decoder_bytes: u64,
    program_bytes: u64,
    total_bytes: u64,
}

/// Plans every combination.
pub(crate) fn compute(settings: &AccountArgs) -> Result<Account> {
    for dtypes in &settings.dtypes {
        ensure!(dtypes.split('/').count() <= 3, "--dtypes {dtypes}: TEXT, TEXT/VISION or TEXT/VISION/KV");
    }
    let program = program(settings.longsight.as_ref())?;
    let video = hour(&settings.work)?;
    let mut rows = Vec::new();
    for shape in &settings.shapes {
        let folder = SeededArgs::hollow(*shape, &settings.work)?;
        for dtypes in &settings.dtypes {
            for frames in &settings.frames {
                let plan = plan(&program, &video, &folder, dtypes, *frames)?;
                rows.push(Row::read(&plan, *shape, dtypes, *frames).context("the plan lacks a figure")?);
            }
        }
    }
    Ok(Account { rows })
}

fn plan(program: &Path, video: &Path, folder: &Path, dtypes: &str, frames: usize) -> Result<Value> {
    let mut command = Command::new(program);
    command.arg("plan").arg(video).args(["What happens?", "--json", "--quiet", "--model"]).arg(folder);
    command.args(["--frames", &frames.to_string()]);
    for (flag, dtype) in ["--dtype", "--vision-dtype", "--kv-dtype"].iter().zip(dtypes.split('/')) {
        command.args([*flag, dtype]);
    }
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", errors.trim().lines().last().unwrap_or("the plan failed"));
    serde_json::from_slice(&output.stdout).context("longsight did not print JSON")
}

impl Row {
    fn read(plan: &Value, shape: ShapeName, dtypes: &str, frames: usize) -> Option<Self> {
        let bytes = |name: &str| plan["memory"][name].as_u64();
        Some(Self {
            shape,
            dtypes: dtypes.to_owned(),
            frames,
            visual_tokens: plan["visual_tokens"].as_u64()?,
            weights_bytes: bytes("weights_bytes")?,
            kv_cache_bytes: bytes("kv_cache_bytes")?,
            work_bytes: bytes("work_bytes")?,
            video_decoder_bytes: bytes("video_decoder_bytes")?,
            program_bytes: bytes("program_bytes")?,
            total_bytes: plan["memory_total_bytes"].as_u64()?,
        })
    }
}

impl Report for Account {
    fn markdown(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                let mut cells = vec![
                    row.shape.name().to_owned(),
                    row.dtypes.clone(),
                    row.frames.to_string(),
                    row.visual_tokens.to_string(),
                ];
                cells.extend(
                    [
                        row.weights_bytes,
                        row.kv_cache_bytes,
                        row.work_bytes,
                        row.video_decoder_bytes,
                        row.program_bytes,
                        row.total_bytes,
                    ]
                    .map(mib),
                );
                cells
            })
            .collect();
        let titles = [
            "shape",
            "dtypes",
            "frames",
            "visual tokens",
            "weights MiB",
            "KV cache MiB",
            "activations MiB",
            "decoder MiB",
            "program MiB",
            "total MiB",
        ];
        format!(
            "Computed by `longsight plan`, one hour of 1080p, default pooling.\n\n{}",
            table(&titles, &rows)
        )
    }
}
