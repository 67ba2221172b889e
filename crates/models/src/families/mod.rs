//! One folder a family: its config, its words and templates, its spellings of tensor names; nothing numeric.

pub mod llava;
pub mod smolvlm;
pub(crate) mod text;

use crate::config::ModelConfig;
use crate::json::Json;
use crate::{Result, config};
use std::path::Path;

/// Reads a config of one family; None where it is another's.
type Reader = fn(&Path, &Json) -> Result<Option<ModelConfig>>;

/// The families, with the model types that they read, for messages.
const FAMILIES: [(Reader, &str); 2] =
    [(llava::read, llava::MODEL_TYPES), (smolvlm::read, smolvlm::MODEL_TYPES)];

impl ModelConfig {
    /// Reads `config.json` and what lies around it.
    ///
    /// # Errors
    /// A family that is not supported (named), a missing or malformed file, or a setting that is not supported.
    pub fn read(folder: &Path) -> Result<Self> {
        let json = Json::read(&folder.join("config.json"))?;
        for (read, _) in FAMILIES {
            if let Some(config) = read(folder, &json)? {
                let tower = config.vision.as_ref().map(|vision| &vision.tower);
                config::check_sizes(&config.decoder, tower).map_err(|wrong| json.error(wrong))?;
                return config.complete(folder, &json);
            }
        }
        let model_type = json.text("model_type")?.unwrap_or("");
        let known: Vec<&str> = FAMILIES.iter().map(|(_, types)| *types).collect();
        Err(json.error(format!(
            "model_type `{model_type}` is another family; longsight runs {}",
            known.join("; ")
        )))
    }
}
