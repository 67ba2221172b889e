//! From what a session did to its receipt.

use super::{
    ContextReceipt, DedupeReceipt, FrameReceipt, KvReceipt, ModelReceipt, PoolReceipt, Receipt, TokenReceipt,
    VideoReceipt,
};
use crate::frames::{Damaged, FrameReport};
use crate::generate::Generation;
use crate::index::{IndexReceipt, IndexUse};
use crate::plan::{RunPlan, window_warning};
use crate::settings::{RunSettings, Setting};
use crate::timings::Timings;
use crate::warning::{Warning, WarningKind};
use longsight_method::ContextMethod;
use longsight_models::{KvCache, Lmm};
use longsight_video::{FrameBudget, SampleSettings};

/// What a receipt is made from.
pub(crate) struct ReceiptFacts<'a> {
    pub(crate) model: &'a Lmm,
    pub(crate) plan: &'a RunPlan,
    pub(crate) settings: &'a RunSettings,
    pub(crate) cache: &'a KvCache,
    /// What became of the frames.
    pub(crate) frames: &'a FrameReport,
    pub(crate) index: Option<&'a IndexReceipt>,
    pub(crate) index_warnings: &'a [Warning],
    pub(crate) peak_bytes: Option<u64>,
    /// Whether the video was brought into the cache for this question.
    pub(crate) is_first: bool,
    /// Tokens of the prompt after the visual prefix.
    pub(crate) after_tokens: usize,
    /// Of these, those that the cache held already.
    pub(crate) reused_text_tokens: usize,
    pub(crate) generation: &'a Generation,
}

impl ReceiptFacts<'_> {
    /// The receipt; `timings` are of this question.
    pub(crate) fn receipt(&self, timings: Timings) -> Receipt {
        let Self { plan, settings, cache, generation, .. } = self;
        let prefix = plan.layout.visual_prefix_tokens();
        Receipt {
            longsight_version: env!("CARGO_PKG_VERSION"),
            model: self.model_receipt(),
            video: self.video_receipt(),
            frames: self.frame_receipts(),
            tokens: TokenReceipt {
                visual: plan.pool.visual_tokens(),
                newline: plan.pool.newline_tokens(),
                text: prefix - plan.pool.total_tokens() + self.after_tokens,
                prompt: prefix + self.after_tokens,
                reused: self.reused_tokens(),
                generated: generation.token_ids.len(),
            },
            context: self.context_receipt(),
            pool: PoolReceipt { spec: plan.pool.spec, mode: plan.pool.mode, newline: plan.pool.newline },
            dedupe: self.dedupe_receipt(),
            index: self.index.cloned(),
            template: settings.template,
            prompt: settings.prompt.clone(),
            generation: settings.generation.clone(),
            stop_reason: generation.stop_reason,
            engine: settings.engine.clone(),
            threads: longsight_kernels::threads(),
            kv_cache: KvReceipt {
                dtype: cache.dtype().as_str(),
                capacity_tokens: cache.capacity_tokens(),
                bytes: cache.bytes(),
            },
            timings,
            memory_estimate: plan.memory,
            memory_estimate_total_bytes: plan.memory.total_bytes(),
            peak_bytes: self.peak_bytes,
            warnings: self.warnings(),
        }
    }

    /// Tokens of the prompt that were not computed for this question.
    fn reused_tokens(&self) -> usize {
        let prefix_read = self.index.is_some_and(|index| index.kv_prefix == IndexUse::Read);
        if self.is_first && !prefix_read {
            return 0;
        }
        self.plan.layout.visual_prefix_tokens() + self.reused_text_tokens
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = self.plan.warnings.clone();
        warnings.extend(self.index_warnings.iter().cloned());
        warnings.extend(self.damage_warnings());
        let window = self.model.config().decoder.max_positions;
        if self.plan.layout.total_tokens() <= window {
            // The conversation may have outgrown what the plan knew of.
            let tokens = self.plan.layout.visual_prefix_tokens() + self.after_tokens;
            warnings.extend(window_warning(window, tokens));
        }
        warnings
    }

    fn model_receipt(&self) -> ModelReceipt {
        let (info, device) = (self.model.info(), self.model.device());
        ModelReceipt {
            family: info.config.family.name().to_owned(),
            dtypes: info.dtypes,
            matrices: info.matrices.clone(),
            weights_bytes: info.weights_bytes,
            device: if device.is_cuda() {
                "cuda"
            } else if device.is_metal() {
                "metal"
            } else {
                "cpu"
            },
            instruction_set: device.is_cpu().then(longsight_kernels::instruction_set),
            pixel_settings_source: info
                .config
                .vision
                .as_ref()
                .and_then(|vision| vision.pixels.source.clone()),
        }
    }

    fn video_receipt(&self) -> VideoReceipt {
        let (video, sample) = (&self.plan.video, &self.plan.sample);
        let colour = self.settings.video.decode.colour;
        VideoReceipt {
            source: video.source.name(),
            duration_secs: video.duration_secs,
            width: video.width,
            height: video.height,
            rotation_degrees: video.rotation_degrees,
            is_mirrored: video.is_mirrored,
            pixel_aspect: video.sample_aspect_ratio.clone(),
            codec: video.codec.clone(),
            pixel_format: video.pixel_format.clone(),
            color_matrix: video.color_matrix.clone(),
            color_range: video.color_range.clone(),
            color_transfer: video.color_transfer.clone(),
            field_order: video.field_order.clone(),
            total_frames: video.total_frames,
            frame_count_source: video.frame_count_source.to_string(),
            requested: requested(&self.settings.video.sample),
            clip: sample.clip,
            decode_strategy: sample.strategy,
            decode_strategy_reason: sample.strategy_reason.clone(),
            colour,
            scaler_flags: colour.scaler_flags(),
            subtitle_cues: self.plan.prompt.subtitle_cues,
            subtitles: self.plan.prompt.subtitles.clone(),
        }
    }

    fn damage_warnings(&self) -> impl Iterator<Item = Warning> {
        let planned = &self.plan.sample.frames;
        let is_shown =
            |of: &&Damaged| planned.get(of.ordinal).is_some_and(|frame| frame.index == of.shown_index);
        let shown = self.frames.damaged.iter().filter(is_shown).count();
        let (replaced, all) = (self.frames.damaged.len() - shown, planned.len());
        let replaced = (replaced > 0).then(|| {
            format!("{replaced} of {all} frames could not be decoded and are replaced by neighbours")
        });
        let shown = (shown > 0).then(|| {
            format!("{shown} of {all} frames are predicted from damaged ones: parts of them may be wrong")
        });
        [replaced, shown].into_iter().flatten().map(|text| Warning::new(WarningKind::Video, text))
    }

    fn frame_receipts(&self) -> Vec<FrameReceipt> {
        let Self { plan, frames, .. } = self;
        let record = |(planned, pooled): (&longsight_video::PlannedFrame, &longsight_method::PooledUnit)| {
            let damaged = frames.damaged.iter().find(|damaged| damaged.ordinal == planned.ordinal);
            let shown_index = damaged.map(|damaged| damaged.shown_index);
            FrameReceipt {
                index: planned.index,
                time_secs: planned.time,
                role: pooled.role,
                stride: pooled.stride,
                visual_tokens: pooled.visual_tokens,
                first_position: plan.layout.unit_span(planned.ordinal).start,
                replaced_by_index: shown_index.filter(|&shown| shown != planned.index),
                after_damage: shown_index == Some(planned.index),
                reused: frames.reused.get(planned.ordinal).is_some_and(|reused| *reused),
            }
        };
        plan.sample.frames.iter().zip(&plan.pool.units).map(record).collect()
    }

    fn dedupe_receipt(&self) -> DedupeReceipt {
        let reused_frames = self.frames.reused.iter().filter(|reused| **reused).count();
        let read = self.index.is_some_and(|of| [of.embeddings, of.kv_prefix].contains(&IndexUse::Read));
        let encoded_frames = if read { 0 } else { self.frames.reused.len() - reused_frames };
        DedupeReceipt { setting: self.settings.dedupe, encoded_frames, reused_frames }
    }

    fn context_receipt(&self) -> ContextReceipt {
        let (plan, config) = (self.plan, self.model.config());
        let context = &self.settings.context;
        let rope = context.rope(config.ramp);
        let window_source = match context.method {
            ContextMethod::Yarn if context.language_window_tokens.is_some() => {
                Setting::LanguageWindow.flag().into()
            }
            ContextMethod::Yarn => "max_position_embeddings".into(),
            _ if context.visual_window_tokens.is_some() => Setting::VisualWindow.flag().into(),
            _ => config.visual_window_source.clone(),
        };
        ContextReceipt {
            method: plan.rope.method,
            scale: plan.rope.scale,
            attention_factor: plan.rope.attention_factor,
            attention_factor_on: rope.attention_factor,
            window_tokens: plan.rope.window_tokens,
            window_source,
            scaled_tokens: plan.pool.window_tokens(),
            alpha: rope.alpha,
            beta: rope.beta,
            ramp: rope.ramp,
            ramp_low: plan.rope.ramp_low,
            ramp_high: plan.rope.ramp_high,
        }
    }
}

/// Frames and range as flags: the receipt's format is older than the schema.
fn requested(settings: &SampleSettings) -> String {
    let flag = Setting::flag;
    let mut text = match &settings.budget {
        FrameBudget::Uniform { frames } => format!("{} {frames}", flag(Setting::Frames)),
        FrameBudget::Fps { fps, max_frames } => {
            format!("{} {fps} {} {max_frames}", flag(Setting::Fps), flag(Setting::MaxFrames))
        }
        FrameBudget::Indices(indices) => format!("{} frames by index", indices.len()),
    };
    for (setting, time) in [(Setting::From, settings.from), (Setting::To, settings.to)] {
        if let Some(time) = time {
            text.push_str(&format!(" {} {time}", flag(setting)));
        }
    }
    text
}
