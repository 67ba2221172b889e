use super::{RunSettings, Setting};
use crate::fault::{ErrorKind, Fault};
use crate::text::text;
use crate::{EngineError, Result};
use longsight_models::Device;

/// Above any that is of use; keeps sums of counts from overflowing.
const MAX_COUNT: usize = 1 << 24;

impl RunSettings {
    /// Refuses numbers that are invalid. Planning checks too; a caller checks early, before a download.
    ///
    /// # Errors
    /// The first number that is out of range, with its setting.
    pub fn check(&self) -> Result<()> {
        let g = &self.generation;
        let at_least_one = |count: usize| (count == 0).then_some(" must be at least 1");
        let moments = self.evidence.as_ref().map_or(1, |evidence| evidence.moments);
        let wrong = [
            (Setting::MaxNewTokens, at_least_one(g.max_new_tokens)),
            (
                Setting::Temperature,
                unless(g.temperature >= 0.0 && g.temperature.is_finite(), " must be a number from 0 up"),
            ),
            (Setting::TopP, unless(g.top_p > 0.0 && g.top_p <= 1.0, " must be above 0 and at most 1")),
            (
                Setting::RepetitionPenalty,
                unless(
                    g.repetition_penalty > 0.0 && g.repetition_penalty.is_finite(),
                    " must be a number above 0",
                ),
            ),
            (Setting::Moments, at_least_one(moments)),
            (Setting::ChunkTokens, at_least_one(self.engine.chunk_tokens)),
            (Setting::EncodeBatch, at_least_one(self.engine.encode_batch_frames)),
        ];
        for (setting, problem) in wrong {
            if let Some(problem) = problem {
                return Err(EngineError::setting(setting, text![setting, problem]));
            }
        }
        self.check_counts()
    }

    fn check_counts(&self) -> Result<()> {
        let counts = [
            (Setting::MaxNewTokens, self.generation.max_new_tokens),
            (Setting::ChunkTokens, self.engine.chunk_tokens),
            (Setting::EncodeBatch, self.engine.encode_batch_frames),
            (Setting::SpareTokens, self.engine.spare_tokens),
        ];
        match counts.into_iter().find(|(_, count)| *count > MAX_COUNT) {
            Some((setting, _)) => {
                Err(EngineError::setting(setting, text![setting, format!(" must be at most {MAX_COUNT}")]))
            }
            None => Ok(()),
        }
    }

    /// Refuses what a device has no kernels for.
    ///
    /// # Errors
    /// A KV cache of signed bytes anywhere but on a CPU.
    pub fn check_device(&self, device: &Device) -> Result<()> {
        let Some(dtype) = self.kv_dtype.filter(|dtype| dtype.check_device(device).is_err()) else {
            return Ok(());
        };
        let problem = text![Setting::KvDtype, format!(" {dtype} is computed on the CPU only")];
        let remedy = text!["take f16 or bf16, or ", Setting::Device, " cpu"];
        let fault = Fault::new(ErrorKind::Unsupported, problem).with_remedy(remedy);
        Err(Fault { field: Some(Setting::KvDtype), ..fault }.into())
    }
}

/// What is wrong where `holds` does not.
fn unless(holds: bool, wrong: &'static str) -> Option<&'static str> {
    (!holds).then_some(wrong)
}
