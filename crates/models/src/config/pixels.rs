use crate::Result;
use crate::json::Json;
use std::path::Path;

/// Mean and std of pixels, and the file that says so.
pub(crate) struct MeanStd {
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
    pub(crate) source: Option<String>,
}

/// The settings of the video processor: each of the files that transformers looks at, in its order, with its name.
pub(crate) fn processor_files(folder: &Path) -> Result<Vec<(&'static str, Json)>> {
    let mut found = Vec::new();
    for name in [
        "processor_config.json",
        "video_preprocessor_config.json",
        "preprocessor_config.json",
        "video_processor/preprocessor_config.json",
    ] {
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let whole = Json::read(&path)?;
        let own = if name == "processor_config.json" { whole.at("video_processor")? } else { Some(whole) };
        found.extend(own.map(|own| (name, own)));
    }
    Ok(found)
}

impl MeanStd {
    /// From one of the files; None where it has none.
    pub(crate) fn read(name: &str, json: &Json) -> Result<Option<Self>> {
        let (Some(mean), Some(std)) = (json.triple("image_mean")?, json.triple("image_std")?) else {
            return Ok(None);
        };
        if !std.iter().all(|s| *s > 1e-6) || !mean.iter().all(|m| m.is_finite()) {
            return Err(json.error("image_std must be above 0, and image_mean finite"));
        }
        Ok(Some(Self { mean, std, source: Some(name.into()) }))
    }

    /// As in training, for checkpoints without a file: transformers' class default is CLIP's, and wrong for these models.
    pub(crate) fn of_training() -> Self {
        Self { mean: [0.5; 3], std: [0.5; 3], source: None }
    }
}
