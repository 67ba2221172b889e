//! Work on a video, kept on disk for the next question: pooled embeddings, and the visual prefix of the KV cache.
//!
//! Entries are found by what they were computed from (`keys.rs`); what they hold is bit-equal to computing it again. Nothing
//! about the store can fail a run: a problem becomes a warning in the receipt, and the work is done as without an index.

mod frames;
mod identity;
mod keys;
mod prefix;
mod receipt;

use frames::{IndexedFrames, RecordedFrames};
use identity::VideoIdentity;
use prefix::PrefixLayout;
pub use receipt::{IndexReceipt, IndexUse};

use crate::encode::FrameEncoder;
use crate::frames::{FrameReport, FrameTokens};
use crate::observer::Observer;
use crate::plan::RunPlan;
use crate::settings::{RunSettings, Setting};
use crate::text::{Text, text};
use crate::warning::{Warning, WarningKind};
use crate::{EngineError, Result};
use longsight_models::{KvCache, Lmm};
use longsight_store::{Claim, Entry, FileDigests, Key, Store, StoreError, StoreSettings};
use longsight_video::VideoSource;
use serde_json::json;
use std::path::Path;

/// What a run adds to the index. What is there already is used in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexContents {
    /// Pooled embeddings: the tower is not run again for the same frames and pooling.
    Embeddings,
    /// Also the visual prefix of the KV cache: nothing of the video is computed again for the same settings.
    Kv,
}

/// The index, and what this process adds to it.
#[derive(Debug, Clone)]
pub struct Index {
    store: Store,
    contents: IndexContents,
}

impl Index {
    /// The index in a folder.
    pub fn new(settings: StoreSettings, contents: IndexContents) -> Self {
        Self { store: Store::new(settings), contents }
    }

    /// Its files.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Identifies a video and a checkpoint by their bytes. Reading them takes as long as it takes once; then their digests
    /// are remembered while the files are unchanged.
    ///
    /// # Errors
    /// A URL, which has no bytes of its own; files that cannot be read or that change meanwhile.
    pub(crate) fn identify(&self, source: &VideoSource, model_folder: &Path) -> Result<VideoIdentity> {
        VideoIdentity::read(&FileDigests::new(Some(self.store.clone())), source, model_folder)
    }
}

/// Where a video lies: the whole path, as other videos may have the same name elsewhere.
fn place(source: &VideoSource) -> String {
    let name = source.name();
    std::fs::canonicalize(&name).map_or(name, |path| path.display().to_string())
}

/// The index at work for one session.
pub(crate) struct Indexing<'a> {
    index: &'a Index,
    embeddings_key: Key,
    prefix_key: Key,
    about: serde_json::Value,
    pub(crate) receipt: IndexReceipt,
    pub(crate) warnings: Vec<Warning>,
}

impl<'a> Indexing<'a> {
    pub(crate) fn new(
        index: &'a Index,
        identity: &VideoIdentity,
        (model, plan, settings): (&Lmm, &RunPlan, &RunSettings),
    ) -> Self {
        let embeddings_key = keys::embeddings(identity, model, plan, settings);
        let prefix_key = keys::prefix(&embeddings_key, model, plan, settings);
        let receipt = IndexReceipt {
            video_digest: identity.video.clone(),
            embeddings: IndexUse::Unused,
            kv_prefix: IndexUse::Unused,
        };
        let about = json!({
            "video": place(&plan.video.source),
            "duration_secs": plan.video.duration_secs,
            "frames": plan.sample.frames.len(),
            "visual_tokens": plan.pool.visual_tokens(),
            "pool": plan.pool.spec.to_string(),
            "context": plan.rope.method.to_string(),
            "scale": plan.rope.scale,
            "dtype": model.info().dtypes.to_string(),
        });
        Self { index, embeddings_key, prefix_key, about, receipt, warnings: Vec::new() }
    }

    /// Fills `cache` with the visual prefix, where it is kept. Returns what became of its frames.
    pub(crate) fn read_prefix(&mut self, plan: &RunPlan, cache: &mut KvCache) -> Option<FrameReport> {
        let entry = self.find(&self.prefix_key.clone())?;
        match PrefixLayout::read(&entry, plan, cache) {
            Ok(report) => {
                self.receipt.kv_prefix = IndexUse::Read;
                Some(report)
            }
            Err(error) => {
                self.warn(error.to_string());
                None
            }
        }
    }

    /// Keeps the visual prefix of `cache`, where that is wanted.
    pub(crate) fn write_prefix(
        &mut self,
        cache: &KvCache,
        plan: &RunPlan,
        report: &FrameReport,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let tokens = plan.layout.visual_prefix_tokens();
        let (IndexContents::Kv, Some(bytes)) = (self.index.contents, cache.prefix_bytes(tokens)) else {
            return Ok(());
        };
        let Some(Claim::Build(mut builder)) = self.claim(&self.prefix_key.clone(), bytes, observer)? else {
            return Ok(());
        };
        let written = match cache.write_prefix(tokens, &mut builder) {
            Ok(()) => builder
                .finish(PrefixLayout::describe(tokens, report), self.about.clone())
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match written {
            Ok(_) => self.receipt.kv_prefix = IndexUse::Written,
            Err(problem) => self.warn(problem),
        }
        Ok(())
    }

    /// The frames' visual tokens: from the index, or encoded and kept on the way.
    pub(crate) fn frames<'m>(
        &mut self,
        (model, plan, settings): (&'m Lmm, &RunPlan, &RunSettings),
        observer: &mut dyn Observer,
    ) -> Result<Box<dyn FrameTokens + 'm>> {
        let bytes = RecordedFrames::expected_bytes(model, plan);
        let claim = self.claim(&self.embeddings_key.clone(), bytes, observer)?;
        let builder = match claim {
            Some(Claim::Ready(entry)) => match IndexedFrames::new(entry, model, plan, settings) {
                Ok(frames) => {
                    self.receipt.embeddings = IndexUse::Read;
                    return Ok(Box::new(frames));
                }
                Err(error) => {
                    self.warn(error.to_string());
                    None
                }
            },
            Some(Claim::Build(builder)) => Some(builder),
            None => None,
        };
        let encoder = FrameEncoder::open(model, plan, settings)?;
        Ok(match builder {
            Some(builder) => Box::new(RecordedFrames::new(encoder, builder, self.about.clone())),
            None => Box::new(encoder),
        })
    }

    /// Takes over what the source of frames has to say.
    pub(crate) fn frames_done(&mut self, frames: &mut dyn FrameTokens) {
        match frames.kept() {
            Some(Ok(())) => self.receipt.embeddings = IndexUse::Written,
            Some(Err(problem)) => self.warn(problem),
            None => (),
        }
    }

    /// The neutral prompt's attention `[heads, frames]`: kept, or measured by `measure` and kept.
    pub(crate) fn neutral(
        &mut self,
        heads: &[(usize, usize)],
        observer: &mut dyn Observer,
        measure: impl FnOnce() -> Result<Vec<f64>>,
    ) -> Result<Vec<f64>> {
        let key = keys::neutral(&self.prefix_key, heads);
        let builder = match self.claim(&key, 0, observer)? {
            Some(Claim::Ready(entry)) => match serde_json::from_value(entry.layout().clone()) {
                Ok(mass) => return Ok(mass),
                Err(_) => None,
            },
            Some(Claim::Build(builder)) => Some(builder),
            None => None,
        };
        let mass = measure()?;
        let kept = builder.map(|builder| builder.finish(json!(mass), self.about.clone()));
        if let Some(Err(error)) = kept {
            self.warn_of(error);
        }
        Ok(mass)
    }

    fn find(&mut self, key: &Key) -> Option<Entry> {
        match self.index.store.find(key) {
            Ok(entry) => entry,
            Err(error @ StoreError::Damaged { .. }) if self.index.contents != IndexContents::Kv => {
                self.warn(text![format!("{error}; it is removed ("), Setting::Index, " kv keeps it anew)",]);
                None
            }
            Err(error) => {
                self.warn_of(error);
                None
            }
        }
    }

    /// None where the store cannot be used.
    fn claim(
        &mut self,
        key: &Key,
        payload_bytes: usize,
        observer: &mut dyn Observer,
    ) -> Result<Option<Claim>> {
        let mut damaged = Vec::new();
        let mut wait = || {
            observer.waiting();
            !observer.stop()
        };
        let claim =
            self.index.store.claim(key, payload_bytes as u64, &mut wait, &mut |error| damaged.push(error));
        damaged.into_iter().for_each(|error| self.warn_of(error));
        match claim {
            Ok(claim) => Ok(Some(claim)),
            Err(StoreError::Stopped) => Err(EngineError::Stopped),
            Err(error) => {
                self.warn_of(error);
                Ok(None)
            }
        }
    }

    fn warn_of(&mut self, error: StoreError) {
        match error {
            StoreError::Damaged { .. } => self.warn(format!("{error}; it is removed and made anew")),
            StoreError::Io { .. } => self.warn(text![
                format!("{error}; nothing is kept ("),
                Setting::IndexDir,
                " names another folder, ",
                Setting::NoIndex,
                " none)",
            ]),
            StoreError::TooLarge { bytes, limit_bytes } => self.warn(text![
                format!(
                    "an index entry of up to {bytes} bytes is more than the index may hold ({limit_bytes} bytes; see "
                ),
                Setting::IndexSize,
                ")",
            ]),
            StoreError::Stopped => self.warn(error.to_string()),
        }
    }

    fn warn(&mut self, problem: impl Into<Text>) {
        let warning = Warning::new(WarningKind::Index, problem);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
