//! What a run will do, known before any frame is decoded: frames, tokens, positions, bytes.

mod prompt;

pub use prompt::Prompt;
pub(crate) use prompt::without_special_tokens;

use crate::budget::{self, MemoryEstimate};
use crate::evidence::NEUTRAL_PROMPT;
use crate::settings::RunSettings;
use crate::{EngineError, Result};
use longsight_method::{PoolPlan, Positions, PromptLayout, RopePlan, chunk_plan};
use longsight_models::processor::{Role, Turn};
use longsight_models::{KvDtype, ModelInfo};
use longsight_video::{
    FrameBudget, SamplePlan, SampleSettings, VideoInfo, VideoSource, linspace_indices, probe, sample,
};
use std::ops::Range;
use std::time::Instant;

/// A run, planned.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// The video.
    pub video: VideoInfo,
    /// Its frames.
    pub sample: SamplePlan,
    /// Their pooling.
    pub pool: PoolPlan,
    /// The positions' frequencies.
    pub rope: RopePlan,
    /// What stands in each slot of the prompt.
    pub layout: PromptLayout,
    /// Where the slots stand on the rotary axis.
    pub positions: Positions,
    /// Prefill steps.
    pub chunks: Vec<Range<usize>>,
    /// The prompt's text.
    pub prompt: Prompt,
    /// Tokens that the KV cache has room for.
    pub kv_capacity_tokens: usize,
    /// How it stores them.
    pub kv_dtype: KvDtype,
    /// Bytes of the run at its peak.
    pub memory: MemoryEstimate,
    /// Seconds that the probe took.
    pub probe_secs: f64,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl RunPlan {
    /// Probes the video and plans the run. Nothing is decoded.
    pub fn new(
        model: &ModelInfo,
        source: &VideoSource,
        question: &str,
        settings: &RunSettings,
    ) -> Result<Self> {
        settings.check()?;
        let started = Instant::now();
        let video = probe(source, &settings.video.probe)?;
        let probe_secs = started.elapsed().as_secs_f64();
        Ok(Self { probe_secs, ..Self::for_video(model, video, question, settings)? })
    }

    /// Plans a run on a video already probed.
    pub fn for_video(
        model: &ModelInfo,
        video: VideoInfo,
        question: &str,
        settings: &RunSettings,
    ) -> Result<Self> {
        settings.check()?;
        let sample = sample(&video, &settings.video.sample)?;
        Self::for_sample(model, video, sample, question, settings)
    }

    /// Plans a run on frames already chosen; `settings.video.sample` is not looked at.
    pub fn for_sample(
        model: &ModelInfo,
        video: VideoInfo,
        sample: SamplePlan,
        question: &str,
        settings: &RunSettings,
    ) -> Result<Self> {
        settings.check()?;
        let config = &model.config;
        let spec = settings.pool_spec(model);
        let pool =
            config.vision()?.pool_plan(sample.frames.len(), spec, settings.prompt.interleaved.is_some())?;
        let context = &settings.context;
        let shape = config.rope_shape(context.visual_window_tokens, context.language_window_tokens);
        let rope = RopePlan::new(&context.rope(config.ramp), &shape, pool.window_tokens())?;
        let (prompt, mut warnings) = Prompt::new(model, &video, &sample, question, settings)?;
        let between: Vec<usize> = prompt.between_ids.iter().map(Vec::len).collect();
        let layout =
            PromptLayout::interleaved(prompt.before_ids.len(), &between, &pool, prompt.after_ids.len());
        let mut kv_capacity_tokens =
            layout.total_tokens() + settings.generation.max_new_tokens + settings.engine.spare_tokens;
        if settings.evidence.is_some() {
            let neutral = [Turn { role: Role::User, content: NEUTRAL_PROMPT.to_owned() }];
            let ids = prompt.question_ids(model, &neutral, settings)?;
            kv_capacity_tokens = kv_capacity_tokens.max(layout.visual_prefix_tokens() + ids.len());
        }
        let chunks =
            chunk_plan(layout.visual_prefix_tokens(), layout.total_tokens(), settings.engine.chunk_tokens);
        let memory = budget::estimate(model, settings, &video, kv_capacity_tokens);
        warnings.extend(repeat_warning(&sample));
        warnings.extend(video.warnings.iter().cloned());
        warnings.extend(config.warnings.iter().cloned());
        warnings.extend(window_warning(config.decoder.max_positions, layout.total_tokens()));
        Ok(Self {
            video,
            sample,
            pool,
            rope,
            layout,
            positions: config.family.positions(),
            chunks,
            prompt,
            kv_capacity_tokens,
            kv_dtype: settings.kv_dtype(model),
            memory,
            probe_secs: 0.0,
            warnings,
        })
    }

    /// Errors when the estimate is above the limit of the settings, naming the nearest setting that fits.
    pub fn check_memory(&self, model: &ModelInfo, settings: &RunSettings) -> Result<()> {
        let Some(allowed) = settings.memory_limit_bytes else { return Ok(()) };
        let needed = self.memory.total_bytes();
        if needed <= allowed {
            return Ok(());
        }
        let remedy = match budget::fit_to_memory(model, &self.video, settings, self.text_tokens(), allowed) {
            Some(fitting) => format!("the nearest that fits: {fitting}"),
            None => "not even one frame fits: allow more memory or take a smaller model or dtype".into(),
        };
        let text = budget::human_bytes;
        Err(EngineError::Memory { needed: text(needed), allowed: text(allowed), remedy })
    }

    /// What the rotary tables of this run are made from.
    pub fn rotary(&self) -> (&RopePlan, Positions) {
        (&self.rope, self.positions)
    }

    /// Prompt tokens that are not visual, without the answer.
    pub fn text_tokens(&self) -> usize {
        self.prompt.tokens()
    }
}

/// Frames that are there more than once, as the clip has fewer than were asked for.
fn repeat_warning(sample: &SamplePlan) -> Option<String> {
    let repeats = sample.frames.windows(2).filter(|pair| pair[0].index == pair[1].index).count();
    (repeats > 0).then(|| {
        format!(
            "{repeats} of {} frames repeat the one before: the clip has fewer than that",
            sample.frames.len()
        )
    })
}

/// A prompt longer than the language window is answered all the same, and warned about.
pub(crate) fn window_warning(language_window: usize, tokens: usize) -> Option<String> {
    (tokens > language_window).then(|| {
        format!("the prompt takes {tokens} tokens, more than the {language_window} of the language window")
    })
}

/// The same settings with at most `frames` frames: the number itself where it was fixed, else its upper limit.
pub(crate) fn with_frames(sample: &SampleSettings, frames: usize) -> SampleSettings {
    let budget = match &sample.budget {
        FrameBudget::Uniform { .. } => FrameBudget::Uniform { frames },
        FrameBudget::Fps { fps, .. } => FrameBudget::Fps { fps: *fps, max_frames: frames },
        FrameBudget::Indices(all) => {
            FrameBudget::Indices(linspace_indices(all.len(), frames).into_iter().map(|i| all[i]).collect())
        }
    };
    SampleSettings { budget, ..sample.clone() }
}
