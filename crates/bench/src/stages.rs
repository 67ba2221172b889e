//! The stages of a run, timed one by one through the calls that the engine makes: [`tower`] (pixels to projected
//! features), then [`text`] (prefill in the engine's chunks, decoding by its loop).

mod report;
mod text;
mod tower;

use crate::dtype::load_settings;
use crate::machine::Machine;
use crate::roofline::Roofline;
use crate::seeded::{SeededArgs, SeededFolder};
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use longsight_engine::PeakMemory;
use longsight_models::Lmm;
use report::{Costs, Stages};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Debug, Clone, Args)]
pub(crate) struct StagesArgs {
    #[command(flatten)]
    model: SeededArgs,
    /// Dtype of the weights
    #[arg(long, default_value = "bf16")]
    dtype: String,
    /// Dtype of the vision tower's weights [default: as --dtype]
    #[arg(long)]
    vision_dtype: Option<String>,
    /// Stages to measure
    #[arg(long, value_enum, value_delimiter = ',', default_value = "tower,prefill,decode")]
    stages: Vec<Stage>,
    /// Frames that one measurement of the tower encodes
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=4096))]
    frames: u16,
    /// Prompts to prefill, in tokens
    #[arg(long, value_delimiter = ',', default_value = "1024,4096,16384", value_name = "TOKENS,..")]
    lengths: Vec<usize>,
    /// Tokens in the cache when decoding begins (0: the one token that decoding needs)
    #[arg(long, value_delimiter = ',', default_value = "0,4096,16384", value_name = "TOKENS,..")]
    contexts: Vec<usize>,
    /// Tokens that one measurement of decoding makes
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    new_tokens: u16,
    /// Measurements of each rate
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// What `roofline --json` wrote: rates are then also given as a part of the machine's limits
    #[arg(long, value_name = "FILE")]
    roofline: Option<PathBuf>,
}

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Tower,
    Prefill,
    Decode,
}

/// A rate as it was measured.
#[derive(Debug)]
struct Rate {
    stage: Stage,
    /// Frames encoded, tokens prefilled, or tokens in the cache.
    size: usize,
    /// Frames or tokens a second, one for each repeat.
    per_sec: Vec<f64>,
    /// The most probable token behind the prompt, to compare with other programs' on the same weights.
    next_token: Option<u32>,
}

/// Above any length that is of use.
const MAX_TOKENS: usize = 1 << 22;

impl StagesArgs {
    fn has(&self, stage: Stage) -> bool {
        self.stages.contains(&stage)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.lengths.iter().all(|length| (1..=MAX_TOKENS).contains(length))
                && self.contexts.iter().all(|context| *context <= MAX_TOKENS),
            "--lengths must be from 1 and --contexts from 0 to {MAX_TOKENS}"
        );
        Ok(())
    }
}

/// Makes the checkpoint if need be, loads it and measures the stages asked for.
pub(crate) fn measure(settings: &StagesArgs) -> Result<Stages> {
    settings.check()?;
    let load = load_settings(&settings.dtype, settings.vision_dtype.as_deref())?;
    let limits = settings.roofline.as_deref().map(Roofline::read).transpose()?;
    let SeededFolder { folder, shape, layers } = settings.model.checkpoint()?;
    let peak = PeakMemory::watch();
    let started = Instant::now();
    let model = Lmm::load(&folder, &load).with_context(|| format!("cannot load {}", folder.display()))?;
    let load_secs = started.elapsed().as_secs_f64();

    let mut rates = Vec::new();
    if settings.has(Stage::Tower) {
        rates.push(tower::rate(&model, settings)?);
    }
    if settings.has(Stage::Prefill) || settings.has(Stage::Decode) {
        rates.extend(text::rates(&model, settings)?);
    }
    let vision_dtype = settings.vision_dtype.clone().unwrap_or_else(|| settings.dtype.clone());
    let costs = Costs::new(&model, &settings.dtype, &vision_dtype, limits.as_ref());
    Ok(Stages {
        side: "longsight",
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::this(),
        shape,
        layers,
        dtype: settings.dtype.clone(),
        vision_dtype,
        new_tokens: settings.new_tokens.into(),
        load_secs,
        peak_bytes: peak.peak_bytes(),
        results: rates.into_iter().map(|rate| costs.result(rate)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Report;
    use crate::seeded::tests::tiny;
    use std::path::Path;

    fn settings(work: &Path, layers: Option<usize>) -> StagesArgs {
        StagesArgs {
            model: tiny(work, layers),
            dtype: "f32".into(),
            vision_dtype: None,
            stages: vec![Stage::Tower, Stage::Prefill, Stage::Decode],
            frames: 2,
            lengths: vec![64, 16],
            contexts: vec![0, 64],
            new_tokens: 3,
            repeats: 2,
            roofline: None,
        }
    }

    #[test]
    fn every_stage_is_measured_at_every_size() {
        let work = tempfile::tempdir().unwrap();
        let report = measure(&settings(work.path(), None)).unwrap();
        let sizes: Vec<_> = report.results.iter().map(|r| (r.stage, r.size)).collect();
        let expected = [
            (Stage::Tower, 2),
            (Stage::Decode, 0),
            (Stage::Prefill, 16),
            (Stage::Prefill, 64),
            (Stage::Decode, 64),
        ];
        assert_eq!(sizes, expected);
        assert!(report.results.iter().all(|r| r.per_sec.all.len() == 2 && r.per_sec.lowest > 0.0));
        assert!(!report.markdown().contains("Cut model"));
    }

    #[test]
    fn a_cut_model_and_its_share_of_the_limits_are_told() {
        let work = tempfile::tempdir().unwrap();
        let limits = work.path().join("roofline.json");
        let roofline = serde_json::json!({
            "machine": {"cpu": "x", "cores": 1, "threads": 1, "features": []},
            "limits": [
                {"name": "f32", "instructions": "x", "threads": 1,
                 "giga_per_sec": {"median": 1e6, "lowest": 1e6, "highest": 1e6, "all": [1e6]}},
                {"name": "memory_read", "instructions": "x", "threads": 1,
                 "giga_per_sec": {"median": 1e6, "lowest": 1e6, "highest": 1e6, "all": [1e6]}}]});
        std::fs::write(&limits, roofline.to_string()).unwrap();
        let settings = StagesArgs { roofline: Some(limits), repeats: 1, ..settings(work.path(), Some(1)) };
        let report = measure(&settings).unwrap();
        assert!(report.markdown().contains("tower of 1 of 2 layers, decoder of 1 of 2 layers"));
        for result in &report.results {
            let share = result.percent_of_limit.unwrap();
            assert!(share > 0.0 && share < 1.0, "{share}% of a limit that no machine has");
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let work = tempfile::tempdir().unwrap();
        let bad = StagesArgs { lengths: vec![0], ..settings(work.path(), None) };
        assert!(measure(&bad).unwrap_err().to_string().contains("--lengths"));
    }
}
