//! The video into the KV cache, and what answers are compared with.

use super::Session;
use crate::evidence::{EvidenceWatch, NEUTRAL_PROMPT};
use crate::frames::FrameTokens;
use crate::index::Indexing;
use crate::observer::{Observer, Silent, Stage};
use crate::prefill::Prefill;
use crate::{EngineError, Result};
use longsight_models::decoder::AttentionProbe;
use longsight_models::processor::{Role, Turn};
use std::time::Instant;

impl Session {
    pub(super) fn prefill_video(
        &mut self,
        frames: &mut dyn FrameTokens,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let total = self.plan.sample.frames.len();
        let text = self.model.decoder();
        let mut prefill =
            Prefill::new(&self.model, self.plan.rotary(), &mut self.cache, self.settings.engine.chunk_tokens);
        prefill.push(text.embed(&self.plan.prompt.before_ids)?)?;
        observer.progress(Stage::Frames, 0, total);
        let mut done = 0;
        loop {
            let batch = frames.next_batch(&mut self.timings)?;
            if batch.is_empty() {
                break;
            }
            let started = Instant::now();
            for tokens in batch {
                if let Some(ids) = self.plan.prompt.between_ids.get(done).filter(|ids| !ids.is_empty()) {
                    prefill.push(text.embed(ids)?)?;
                }
                prefill.push(tokens)?;
                done += 1;
            }
            self.timings.prefill_secs += started.elapsed().as_secs_f64();
            observer.progress(Stage::Frames, done, total);
            if observer.stop() {
                return Err(EngineError::Stopped);
            }
        }
        let started = Instant::now();
        if self.plan.pool.trailing_newline_tokens() > 0 {
            prefill.push(self.model.newline()?)?;
        }
        prefill.flush()?;
        self.timings.prefill_secs += started.elapsed().as_secs_f64();
        self.frames = frames.report();
        Ok(())
    }

    /// Measures the neutral prompt's attention, where evidence is wanted, or takes it from the index.
    pub(super) fn watch_evidence(
        &mut self,
        index: Option<&mut Indexing<'_>>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let Some(wanted) = &self.settings.evidence else { return Ok(()) };
        let mut watch = EvidenceWatch::new(&self.model, &self.plan, wanted)?;
        let mut probe = watch.probe();
        let neutral = match index {
            Some(index) => index.neutral(&probe.heads(), observer, || self.neutral_attention(&mut probe))?,
            None => self.neutral_attention(&mut probe)?,
        };
        watch.set_neutral(neutral);
        self.evidence = Some(watch);
        Ok(())
    }

    /// Attention of the neutral prompt's last token; the cache is left with the video alone.
    fn neutral_attention(&mut self, probe: &mut AttentionProbe) -> Result<Vec<f64>> {
        let turns = [Turn { role: Role::User, content: NEUTRAL_PROMPT.to_owned() }];
        let started = Instant::now();
        self.prefill_turns(&turns, 0, Some(probe), &mut Silent)?;
        self.held.clear();
        self.cache.truncate(self.prefix_tokens);
        self.timings.evidence_secs += started.elapsed().as_secs_f64();
        Ok(probe.mean_mass())
    }
}
