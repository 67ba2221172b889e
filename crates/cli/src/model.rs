//! `--model` to a checkpoint folder and a loaded model.

use crate::out::note;
use crate::progress::DownloadBars;
use crate::settings::Resolved;
use anyhow::Result;
use longsight_hub::{HubSettings, ModelFolder, ModelSource, NoProgress, resolve};
use longsight_models::{Description, Lmm};
use std::path::PathBuf;

/// Finds, downloads or unpacks the checkpoint.
pub fn folder(name: &str, quiet: bool) -> Result<ModelFolder> {
    let settings = HubSettings::from_env();
    if quiet {
        return Ok(resolve(name, &settings, &NoProgress)?);
    }
    let folder = resolve(name, &settings, &DownloadBars::default())?;
    if folder.source == ModelSource::BuiltIn {
        note(ABOUT_BUILT_IN);
    }
    Ok(folder)
}

const ABOUT_BUILT_IN: &str = "longsight: model tiny, built in: it reads the coloured cards of `longsight world make` and \
    knows nothing else; for other videos name a real one, e.g. --model llava-hf/llava-onevision-qwen2-0.5b-ov-hf (2 GB)";

/// The checkpoint where it is on this machine already, described; None where it must be downloaded, or is not in order, which
/// [`folder`] and [`describe`] then say.
pub fn describe_at_hand(name: &str, resolved: &Resolved) -> Option<(PathBuf, Description)> {
    let settings = HubSettings { offline: true, ..HubSettings::from_env() };
    let folder = resolve(name, &settings, &NoProgress).ok()?;
    let description = describe(&folder, resolved).ok()?;
    Some((folder.path, description))
}

/// Reads all but the weights.
pub fn describe(folder: &ModelFolder, resolved: &Resolved) -> Result<Description> {
    Ok(Description::read(&folder.path, &resolved.load)?)
}

/// Loads the weights.
pub fn load(description: Description, resolved: &Resolved) -> Result<Lmm> {
    Ok(Lmm::from_description(description, &resolved.load.device)?)
}
