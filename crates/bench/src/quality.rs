//! What each dtype costs in accuracy, against the same weights in f32: seeded shapes, as they are and with outliers.

use crate::Report;
use crate::dtype::load_settings;
use crate::inputs::{frame_rgb, token_ids};
use crate::seeded::{Layers, SeededArgs, ShapeName};
use crate::table::table;
use anyhow::{Context, Result};
use clap::Args;
use longsight_engine::EngineSettings;
use longsight_engine::prefill::Prefill;
use longsight_method::{PoolPlan, PoolSpec, Positions, RopePlan, RopeSettings};
use longsight_models::processor::RgbFrame;
use longsight_models::{Device, KvCache, KvDtype, Lmm, ModelError};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub(crate) struct QualityArgs {
    #[command(flatten)]
    model: SeededArgs,
    /// Dtypes to compare with f32: of both parts, or TEXT/VISION
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "bf16,int8,q8_0,q6k,q5k,q4k,q4_0",
        value_name = "DTYPE,.."
    )]
    dtypes: Vec<String>,
    /// Prompts, each of other tokens
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    prompts: u16,
    /// Tokens a prompt
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    tokens: u16,
    /// Images whose features are compared, png or jpeg [default: four frames of noise]
    #[arg(long, num_args = 1.., value_name = "FILE")]
    images: Vec<PathBuf>,
}

/// A row for each dtype.
#[derive(Debug, Serialize)]
pub(crate) struct Quality {
    shape: ShapeName,
    layers: Layers,
    outlier_factor: Option<f32>,
    prompts: u16,
    tokens: u16,
    images: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    dtype: String,
    /// KL divergence of the next token's distribution from that of f32, in nats.
    kl_mean: f64,
    kl_max: f64,
    /// Share of prompts with the same most probable token.
    same_token: f64,
    /// Smallest cosine similarity of a frame's features, pooled with stride 2.
    cosine_min: f64,
}

/// What a model makes of the prompts and the images.
struct Outputs {
    log_probabilities: Vec<Vec<f64>>,
    features: Vec<Vec<f32>>,
}

/// Loads the model once a dtype.
pub(crate) fn measure(settings: &QualityArgs) -> Result<Quality> {
    let seeded = settings.model.checkpoint()?;
    let outputs = |dtype: &str| -> Result<Outputs> {
        let (text, vision) = dtype.split_once('/').unwrap_or((dtype, dtype));
        let model = Lmm::load(&seeded.folder, &load_settings(text, Some(vision))?)?;
        Ok(Outputs { log_probabilities: prompts(&model, settings)?, features: features(&model, settings)? })
    };
    let exact = outputs("f32")?;
    let rows = settings
        .dtypes
        .iter()
        .map(|dtype| Ok(Row::new(dtype, &exact, &outputs(dtype)?)))
        .collect::<Result<_>>()?;
    Ok(Quality {
        shape: seeded.shape,
        layers: seeded.layers,
        outlier_factor: settings.model.outlier_factor,
        prompts: settings.prompts,
        tokens: settings.tokens,
        images: exact.features.len(),
        rows,
    })
}

fn prompts(model: &Lmm, settings: &QualityArgs) -> Result<Vec<Vec<f64>>> {
    let tokens = usize::from(settings.tokens);
    let rope = RopePlan::new(&RopeSettings::default(), &model.config().rope_shape(None, None), tokens)?;
    let mut cache = KvCache::new(model.decoder().kv_shape(), tokens, KvDtype::F32, &Device::Cpu)?;
    let ids = token_ids(tokens * usize::from(settings.prompts), model.info().vocabulary);
    ids.chunks(tokens)
        .map(|ids| {
            cache.truncate(0);
            let mut prefill = Prefill::new(
                model,
                (&rope, Positions::default()),
                &mut cache,
                EngineSettings::default().chunk_tokens,
            );
            prefill.push(model.decoder().embed(ids)?)?;
            let hidden = prefill.flush()?.context("nothing was prefilled")?;
            Ok(log_softmax(&model.decoder().last_logits(&hidden)?))
        })
        .collect()
}

fn features(model: &Lmm, settings: &QualityArgs) -> Result<Vec<Vec<f32>>> {
    const NOISE_FRAMES: usize = 4;
    let (preprocessor, side) = (model.preprocessor()?, model.preprocessor()?.side());
    let frames: Vec<Vec<u8>> = match settings.images.as_slice() {
        [] => (0..NOISE_FRAMES).map(|frame| frame_rgb(frame, side)).collect(),
        images => images
            .iter()
            .map(|path| {
                let image = image::open(path).with_context(|| path.display().to_string())?.to_rgb8();
                let (width, height) = (image.width() as usize, image.height() as usize);
                Ok(preprocessor.resize(RgbFrame { width, height, rgb: image.as_raw() })?)
            })
            .collect::<Result<_>>()?,
    };
    let config = model.config();
    let plan: PoolPlan = config.vision()?.pool_plan(frames.len(), PoolSpec::Uniform { stride: 2 }, false)?;
    (0..frames.len())
        .map(|i| {
            let pixels = preprocessor.normalise(std::iter::once(frames[i].as_slice()), model.device())?;
            let features = model.features(&pixels)?.get(0).map_err(ModelError::from)?;
            let pooled = model.pool(&features, &plan, i)?;
            Ok(pooled.flatten_all().and_then(|t| t.to_vec1()).map_err(ModelError::from)?)
        })
        .collect()
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|v| f64::from(v - largest).exp()).sum();
    logits.iter().map(|v| f64::from(v - largest) - sum.ln()).collect()
}

impl Row {
    fn new(dtype: &str, exact: &Outputs, other: &Outputs) -> Self {
        let pairs = || exact.log_probabilities.iter().zip(&other.log_probabilities);
        let divergences: Vec<f64> = pairs().map(|(p, q)| divergence(p, q)).collect();
        let best = |p: &[f64]| p.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i);
        let same = pairs().filter(|(p, q)| best(p) == best(q)).count();
        let cosines = exact.features.iter().zip(&other.features).map(|(a, b)| cosine(a, b));
        Self {
            dtype: dtype.to_owned(),
            kl_mean: divergences.iter().sum::<f64>() / divergences.len() as f64,
            kl_max: divergences.iter().copied().fold(0.0, f64::max),
            same_token: same as f64 / divergences.len() as f64,
            cosine_min: cosines.fold(1.0, f64::min),
        }
    }
}

/// Kullback-Leibler divergence of `q` from `p`, both log probabilities, in nats.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>().max(0.0)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

impl Report for Quality {
    fn markdown(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                vec![
                    row.dtype.clone(),
                    format!("{:.5}", row.kl_mean),
                    format!("{:.5}", row.kl_max),
                    format!("{:.0}%", 100.0 * row.same_token),
                    format!("{:.6}", row.cosine_min),
                ]
            })
            .collect();
        let outliers = match self.outlier_factor {
            Some(factor) => format!(", 0.5% of channels x {factor}"),
            None => String::new(),
        };
        let layers = self.layers.note().unwrap_or_default();
        let titles = ["dtype", "KL mean", "KL max", "same next token", "smallest cosine of features"];
        format!(
            "Against f32, seeded weights{outliers}: {} prompts of {} tokens, {} images. {layers}\n\n{}",
            self.prompts,
            self.tokens,
            self.images,
            table(&titles, &rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::tests::tiny;

    #[test]
    fn finer_dtypes_are_closer_and_outliers_show() {
        let work = tempfile::tempdir().unwrap();
        let rows = |outlier_factor| {
            let mut model = tiny(work.path(), None);
            model.outlier_factor = outlier_factor;
            let settings = QualityArgs {
                model,
                dtypes: vec!["f32".into(), "int8".into(), "q4_0/int8".into()],
                prompts: 4,
                tokens: 8,
                images: Vec::new(),
            };
            measure(&settings).unwrap().rows
        };
        let plain = rows(None);
        assert_eq!((plain[0].kl_max, plain[0].same_token), (0.0, 1.0));
        assert!(plain[1].kl_mean > 0.0 && plain[1].kl_mean < plain[2].kl_mean);
        assert!(plain[1].cosine_min > 0.999);
        assert_ne!(rows(Some(50.0))[1].kl_mean, plain[1].kl_mean);
    }

    #[test]
    fn divergence_is_that_of_the_textbook() {
        let log = |p: &[f64]| p.iter().map(|p| p.ln()).collect::<Vec<_>>();
        let (p, q) = (log(&[0.5, 0.5]), log(&[0.25, 0.75]));
        assert!((divergence(&p, &q) - (0.5 * 2f64.ln() + 0.5 * (2.0f64 / 3.0).ln())).abs() < 1e-12);
        assert_eq!(divergence(&p, &p), 0.0);
    }
}
