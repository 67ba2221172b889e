use super::keys::{self, Kind};
use crate::Result;
use crate::json::Json;
use std::path::Path;

/// Mean and std of pixels.
pub(crate) struct MeanStd {
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
}

/// The settings of a checkpoint's processors, each with the name of its file.
pub(crate) struct ProcessorFiles {
    found: Vec<(&'static str, Json)>,
}

impl ProcessorFiles {
    /// The settings of the video processor in each of the files that transformers looks at, in its order; last those of the
    /// processor of stills where one file holds both. `pixels` and `size` are what becomes of their keys.
    ///
    /// # Errors
    /// Settings that are not supported, in any of them.
    pub(crate) fn read(folder: &Path, [pixels, size]: [Kind; 2], warnings: &mut Vec<String>) -> Result<Self> {
        let mut found = Vec::new();
        let mut stills = None;
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
            if name == "processor_config.json" {
                warnings.extend(keys::PROCESSOR.check(&whole)?);
                stills = whole.at("image_processor")?.map(|own| (name, own));
                found.extend(whole.at("video_processor")?.map(|own| (name, own)));
            } else {
                found.push((name, whole));
            }
        }
        found.extend(stills);
        for (_, json) in &found {
            warnings.extend(pixels.check(json)?);
            warnings.extend(size.check(&json.at_or_empty("size")?)?);
        }
        Ok(Self { found })
    }

    /// Mean, std and all else of the first settings that have a mean and a std, with their file's name; others that differ
    /// go to `warnings`.
    pub(crate) fn first(&self, warnings: &mut Vec<String>) -> Result<Option<(&'static str, MeanStd, &Json)>> {
        let mut first: Option<(&'static str, MeanStd, &Json)> = None;
        for (name, json) in &self.found {
            let Some(own) = MeanStd::read(json)? else { continue };
            match &first {
                None => first = Some((name, own, json)),
                Some((used, MeanStd { mean, std }, _)) if (*mean, *std) != (own.mean, own.std) => {
                    warnings.push(format!(
                        "{name}: its image_mean and image_std are not used, those of {used} are"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(first)
    }
}

impl MeanStd {
    /// From one processor's settings; None where they have none.
    fn read(json: &Json) -> Result<Option<Self>> {
        let (Some(mean), Some(std)) = (json.triple("image_mean")?, json.triple("image_std")?) else {
            return Ok(None);
        };
        if !std.iter().all(|s| *s > 1e-6) || !mean.iter().all(|m| m.is_finite()) {
            return Err(json.error("image_std must be above 0, and image_mean finite"));
        }
        Ok(Some(Self { mean, std }))
    }

    /// As in training, for checkpoints without a file: transformers' class default is CLIP's, and wrong for these models.
    pub(crate) fn of_training() -> Self {
        Self { mean: [0.5; 3], std: [0.5; 3] }
    }
}
