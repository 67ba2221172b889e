//! Rates beside what they cost and what the machine could do.

use super::{Rate, Stage};
use crate::Report;
use crate::dtype::{arithmetic, bytes_per_weight};
use crate::machine::Machine;
use crate::roofline::Roofline;
use crate::seeded::{Layers, ShapeName};
use crate::spread::Spread;
use crate::table::{mib, table};
use longsight_method::ModelShape;
use longsight_models::Lmm;
use serde::Serialize;

/// All measurements of one model in one dtype. `tools/bench` writes the same fields for the other programs.
#[derive(Debug, Serialize)]
pub(crate) struct Stages {
    pub(super) side: &'static str,
    pub(super) version: &'static str,
    pub(super) machine: Machine,
    pub(super) shape: ShapeName,
    pub(super) layers: Layers,
    pub(super) dtype: String,
    pub(super) vision_dtype: String,
    pub(super) new_tokens: usize,
    pub(super) load_secs: f64,
    /// Largest resident memory of this process up to the end, weights included.
    pub(super) peak_bytes: Option<u64>,
    pub(super) results: Vec<StageResult>,
}

/// One rate.
#[derive(Debug, Serialize)]
pub(crate) struct StageResult {
    pub(super) stage: Stage,
    /// Frames encoded, tokens prefilled, or tokens in the cache.
    pub(super) size: usize,
    /// Frames or tokens a second.
    pub(super) per_sec: Spread,
    /// The most probable token behind the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<u32>,
    /// Which limit bounds the stage.
    pub(super) limit: String,
    /// 10^9 operations (tower, prefill) or bytes (decoding) a second, at the median rate.
    pub(super) giga_per_sec: Option<f64>,
    /// The same in percent of the machine's measured limit.
    pub(super) percent_of_limit: Option<f64>,
}

/// What a unit of each stage costs, and the limits to compare with.
pub(super) struct Costs<'a> {
    model: ModelShape,
    dtype: String,
    vision_dtype: String,
    kv_bytes_per_value: usize,
    limits: Option<&'a Roofline>,
}

impl<'a> Costs<'a> {
    pub(super) fn new(model: &Lmm, dtype: &str, vision_dtype: &str, limits: Option<&'a Roofline>) -> Self {
        let info = model.info();
        Self {
            model: info.config.model_shape(info.weights_bytes, info.vocabulary),
            dtype: dtype.to_owned(),
            vision_dtype: vision_dtype.to_owned(),
            kv_bytes_per_value: model.dtype().size_in_bytes(),
            limits,
        }
    }

    pub(super) fn result(&self, rate: Rate) -> StageResult {
        let Rate { stage, size, next_token, per_sec } = rate;
        let per_sec = Spread::of(per_sec);
        let giga_per_sec = self.cost(stage, size).map(|cost| cost * per_sec.median / 1e9);
        let (limit, highest) = self.limit(stage);
        let percent_of_limit =
            giga_per_sec.zip(highest).map(|(achieved, highest)| 100.0 * achieved / highest);
        StageResult { stage, size, per_sec, next_token, limit, giga_per_sec, percent_of_limit }
    }

    /// Operations a frame or token; bytes a token where decoding.
    fn cost(&self, stage: Stage, size: usize) -> Option<f64> {
        match stage {
            Stage::Tower => Some(self.model.flops(1, 0).tower),
            Stage::Prefill => {
                let flops = self.model.flops(0, size);
                Some((flops.prefill_matmul + flops.prefill_attention) / size as f64)
            }
            Stage::Decode => {
                // Each weight of the decoder and the head is read once a token, and every key and value.
                let weights = self.model.flops(0, 1).prefill_matmul / 2.0;
                let kv_bytes = self.model.kv.bytes(size, self.kv_bytes_per_value, 0);
                Some(weights * bytes_per_weight(&self.dtype)? + kv_bytes as f64)
            }
        }
    }

    fn limit(&self, stage: Stage) -> (String, Option<f64>) {
        let dtype = match stage {
            Stage::Tower => &self.vision_dtype,
            Stage::Prefill => &self.dtype,
            Stage::Decode => return ("memory GB/s".into(), self.limits.and_then(Roofline::bandwidth)),
        };
        let arithmetic = arithmetic(dtype);
        let highest = self.limits.and_then(|limits| limits.peak(arithmetic));
        (format!("{} Gop/s", arithmetic.name()), highest)
    }
}

impl Report for Stages {
    fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.machine.line());
        if let Some(note) = self.layers.note() {
            text.push_str(&format!("{note}\n\n"));
        }
        let titles = ["stage", "size", "a second: median (lowest to highest)", "achieved", "% of limit"];
        let rows: Vec<_> = self.results.iter().map(StageResult::row).collect();
        text.push_str(&table(&titles, &rows));
        let peak = self.peak_bytes.map_or("not known".to_owned(), |bytes| format!("{} MiB", mib(bytes)));
        text.push_str(&format!(
            "\ndtype {}, tower {}; loaded in {:.1} s; peak memory {peak}; decoding: {} tokens a measurement\n",
            self.dtype, self.vision_dtype, self.load_secs, self.new_tokens
        ));
        text
    }
}

impl StageResult {
    fn row(&self) -> Vec<String> {
        let (stage, unit) = match self.stage {
            Stage::Tower => ("tower, frames", "frames"),
            Stage::Prefill => ("prefill, prompt tokens", "tokens"),
            Stage::Decode => ("decode, tokens in the cache", "tokens"),
        };
        let achieved = self.giga_per_sec.map_or("-".into(), |giga| format!("{giga:.1} {}", self.limit));
        let percent = self.percent_of_limit.map_or("-".into(), |percent| format!("{percent:.0}"));
        vec![stage.into(), self.size.to_string(), format!("{} {unit}", self.per_sec), achieved, percent]
    }
}
