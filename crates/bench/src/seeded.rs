//! Seeded checkpoints in published shapes, written once and kept.

use crate::Report;
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use longsight_testkit::{Dtype, Layout, SeededCheckpoint, Shape};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Which model.
#[derive(Debug, Clone, Args)]
pub(crate) struct SeededArgs {
    /// Published sizes
    #[arg(long, value_enum, default_value = "0.5b")]
    pub(crate) shape: ShapeName,
    /// Layers of the tower and of the decoder, where the whole would take too long; reports say so
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// Layers of the tower alone
    #[arg(long, value_name = "N")]
    tower_layers: Option<usize>,
    /// Layers of the decoder alone
    #[arg(long, value_name = "N")]
    decoder_layers: Option<usize>,
    /// 0.5% of the channels behind every norm are this many times larger: real models have such outliers
    #[arg(long, value_name = "FACTOR", value_parser = outlier_factor)]
    pub(crate) outlier_factor: Option<f32>,
    /// Folder in which checkpoints are kept
    #[arg(long, default_value = "target/bench", value_name = "FOLDER")]
    pub(crate) work: PathBuf,
}

/// Model sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ShapeName {
    /// A few MB, for trying the benchmark itself
    Tiny,
    /// LLaVA-OneVision 0.5B
    #[value(name = "0.5b")]
    #[serde(rename = "0.5b")]
    HalfB,
    /// LLaVA-OneVision 7B
    #[value(name = "7b")]
    #[serde(rename = "7b")]
    SevenB,
    /// LLaVA-OneVision 72B
    #[value(name = "72b")]
    #[serde(rename = "72b")]
    SeventyTwoB,
}

impl ShapeName {
    fn shape(self) -> Shape {
        match self {
            Self::Tiny => Shape::Tiny,
            Self::HalfB => Shape::Ov05b,
            Self::SevenB => Shape::Ov7b,
            Self::SeventyTwoB => Shape::Ov72b,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::HalfB => "0.5b",
            Self::SevenB => "7b",
            Self::SeventyTwoB => "72b",
        }
    }
}

/// How many layers a model has, of how many in the published shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Layers {
    pub(crate) tower: usize,
    pub(crate) tower_published: usize,
    pub(crate) decoder: usize,
    pub(crate) decoder_published: usize,
}

impl Layers {
    /// What a reader must know of a cut model; None for a whole one.
    pub(crate) fn note(&self) -> Option<String> {
        let part = |name: &str, has: usize, of: usize| {
            (has != of).then(|| format!("{name} of {has} of {of} layers"))
        };
        let tower = part("tower", self.tower, self.tower_published);
        let decoder = part("decoder", self.decoder, self.decoder_published);
        let parts: Vec<_> = tower.into_iter().chain(decoder).collect();
        (!parts.is_empty()).then(|| {
            format!(
                "Cut model: {}. Rates are those of the cut model; a layer's cost grows in proportion to their number, \
                 the rest (patches, projector, embeddings, head) is there once. Nothing is extrapolated.",
                parts.join(", ")
            )
        })
    }
}

/// A checkpoint on disk.
#[derive(Debug, Serialize)]
pub(crate) struct SeededFolder {
    pub(crate) folder: PathBuf,
    pub(crate) shape: ShapeName,
    pub(crate) layers: Layers,
}

impl Report for SeededFolder {
    fn markdown(&self) -> String {
        self.folder.display().to_string()
    }
}

impl SeededArgs {
    fn layer_counts(&self) -> Layers {
        let model = self.shape.shape().model();
        Layers {
            tower: self.tower_layers.or(self.layers).unwrap_or(model.tower.layers),
            tower_published: model.tower.layers,
            decoder: self.decoder_layers.or(self.layers).unwrap_or(model.text.layers),
            decoder_published: model.text.layers,
        }
    }

    /// The checkpoint in bf16 and the llava-hf layout; written if it is not there yet, as a whole or not at all.
    pub(crate) fn checkpoint(&self) -> Result<SeededFolder> {
        let layers = self.layer_counts();
        let fits = |has: usize, of: usize| (1..=of).contains(&has);
        ensure!(
            fits(layers.tower, layers.tower_published) && fits(layers.decoder, layers.decoder_published),
            "shape {} has a tower of 1 to {} layers and a decoder of 1 to {}",
            self.shape.name(),
            layers.tower_published,
            layers.decoder_published
        );
        let outliers = self.outlier_factor.map(|factor| format!("-outliers{factor}")).unwrap_or_default();
        let name = format!("{}-tower{}-decoder{}{outliers}", self.shape.name(), layers.tower, layers.decoder);
        let folder = self.work.join(name);
        if !folder.is_dir() {
            write(self.shape.shape(), layers, self.outlier_factor, &folder)
                .with_context(|| format!("cannot write the checkpoint {}", folder.display()))?;
        }
        ensure!(
            folder.join("model.safetensors").is_file(),
            "{} has no model.safetensors: delete the folder, so that it is written again",
            folder.display()
        );
        Ok(SeededFolder { folder, shape: self.shape, layers })
    }
}

/// Beyond a thousand, products leave the range of f16.
fn outlier_factor(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(factor) if (0.001..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("it must be a number from 0.001 to 1000".into()),
    }
}

impl SeededArgs {
    /// A checkpoint of the whole shape with holes for weights: enough to plan with.
    pub(crate) fn hollow(shape: ShapeName, work: &Path) -> Result<PathBuf> {
        let folder = work.join(format!("{}-hollow", shape.name()));
        if !folder.is_dir() {
            let checkpoint =
                SeededCheckpoint { shape: shape.shape(), hollow: true, ..SeededCheckpoint::default() };
            replace(&checkpoint, &folder)
                .with_context(|| format!("cannot write the checkpoint {}", folder.display()))?;
        }
        Ok(folder)
    }
}

fn write(shape: Shape, layers: Layers, outlier_factor: Option<f32>, folder: &Path) -> std::io::Result<()> {
    let checkpoint = SeededCheckpoint {
        shape,
        dtype: Dtype::Bf16,
        layout: Layout::LlavaHf,
        tower_layers: Some(layers.tower),
        decoder_layers: Some(layers.decoder),
        seed: 1,
        outlier_factor,
        ..SeededCheckpoint::default()
    };
    replace(&checkpoint, folder)
}

/// Writes the folder as a whole or not at all.
fn replace(checkpoint: &SeededCheckpoint, folder: &Path) -> std::io::Result<()> {
    let unfinished = folder.with_extension(format!("{}.part", std::process::id()));
    let written = checkpoint.write(&unfinished).and_then(|()| std::fs::rename(&unfinished, folder));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    written
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The smallest model, in `work`.
    pub(crate) fn tiny(work: &Path, layers: Option<usize>) -> SeededArgs {
        SeededArgs {
            shape: ShapeName::Tiny,
            layers,
            tower_layers: None,
            decoder_layers: None,
            outlier_factor: None,
            work: work.to_path_buf(),
        }
    }

    #[test]
    fn is_written_once_and_says_what_is_cut() {
        let work = tempfile::tempdir().unwrap();
        let whole = tiny(work.path(), None).checkpoint().unwrap();
        assert_eq!(whole.layers.note(), None);
        let weights = whole.folder.join("model.safetensors");
        let written = std::fs::metadata(&weights).unwrap().modified().unwrap();
        tiny(work.path(), None).checkpoint().unwrap();
        assert_eq!(std::fs::metadata(&weights).unwrap().modified().unwrap(), written);

        let cut = SeededArgs { decoder_layers: Some(2), ..tiny(work.path(), Some(1)) }.checkpoint().unwrap();
        assert_ne!(cut.folder, whole.folder);
        assert!(cut.layers.note().unwrap().contains("tower of 1 of 2 layers. Rates"));
        assert!(tiny(work.path(), Some(0)).checkpoint().is_err());
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 2, "nothing unfinished is left");
    }
}
