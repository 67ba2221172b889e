//! `--model` to a checkpoint folder and a loaded model.

use crate::progress::DownloadBars;
use crate::settings::Resolved;
use anyhow::Result;
use longsight_hub::{HubSettings, ModelFolder, NoProgress, resolve};
use longsight_models::{Description, Llava};

/// Finds or downloads the checkpoint.
pub fn folder(name: &str, quiet: bool) -> Result<ModelFolder> {
    let settings = HubSettings::from_env();
    Ok(if quiet {
        resolve(name, &settings, &NoProgress)
    } else {
        resolve(name, &settings, &DownloadBars::default())
    }?)
}

/// Reads all but the weights.
pub fn describe(folder: &ModelFolder, resolved: &Resolved) -> Result<Description> {
    Ok(Description::read(&folder.path, resolved.dtype)?)
}

/// Loads the weights.
pub fn load(description: Description, resolved: &Resolved) -> Result<Llava> {
    Ok(Llava::from_description(description, &resolved.device)?)
}
