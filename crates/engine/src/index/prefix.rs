//! The visual prefix of a KV cache as an entry.

use super::frames::StoredReport;
use crate::frames::FrameReport;
use crate::plan::RunPlan;
use crate::{EngineError, Result};
use longsight_models::KvCache;
use longsight_store::Entry;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the payload is read: as [`KvCache::read_prefix`] does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PrefixLayout {
    tokens: usize,
    #[serde(flatten)]
    frames: StoredReport,
}

impl PrefixLayout {
    /// The layout of a prefix of `tokens` tokens.
    pub(crate) fn describe(tokens: usize, report: &FrameReport) -> Value {
        serde_json::to_value(Self { tokens, frames: report.into() }).unwrap_or_default()
    }

    /// Fills `cache`; returns what became of the frames when they were encoded.
    pub(crate) fn read(entry: &Entry, plan: &RunPlan, cache: &mut KvCache) -> Result<FrameReport> {
        let refuse = |what: String| EngineError::request(format!("an entry of a KV cache {what}"));
        let layout: Self =
            serde_json::from_value(entry.layout().clone()).map_err(|e| refuse(e.to_string()))?;
        if layout.tokens != plan.layout.visual_prefix_tokens() {
            return Err(refuse(format!("of {} tokens does not fit the plan", layout.tokens)));
        }
        cache.read_prefix(layout.tokens, entry.payload())?;
        Ok(layout.frames.into())
    }
}
