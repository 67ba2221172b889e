//! What a run will do, known before any frame is decoded: frames, tokens, positions, bytes.

mod prompt;
mod subtitles;

pub use prompt::Prompt;
pub(crate) use prompt::without_special_tokens;

use crate::budget::{self, MemoryEstimate};
use crate::evidence::NEUTRAL_PROMPT;
use crate::settings::RunSettings;
use crate::warning::{Warning, WarningKind};
use crate::{EngineError, Result};
use longsight_method::{PoolPlan, Positions, PromptLayout, RopePlan, chunk_plan};
use longsight_models::processor::{Role, Turn};
use longsight_models::{KvDtype, ModelInfo};
use longsight_video::{SamplePlan, VideoInfo};
use std::ops::Range;

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
    pub warnings: Vec<Warning>,
}

impl RunPlan {
    /// Plans a run on frames of a video that was probed; `settings.video.sample` is not looked at. Programs take
    /// [`Request::plan`](crate::Request::plan), which chooses the frames.
    pub(crate) fn new(
        model: &ModelInfo,
        video: VideoInfo,
        sample: SamplePlan,
        question: &str,
        settings: &RunSettings,
    ) -> Result<Self> {
        let config = &model.config;
        let spec = settings.pool_spec(model);
        let pool =
            config.vision()?.pool_plan(sample.frames.len(), spec, settings.prompt.interleaved.is_some())?;
        let context = &settings.context;
        let shape = config.rope_shape(context.visual_window_tokens, context.language_window_tokens);
        let rope = RopePlan::new(&context.rope(config.ramp), &shape, pool.window_tokens())?;
        let (prompt, remarks) = Prompt::new(model, &video, &sample, question, settings)?;
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
        let of = |kind| move |text: &String| Warning::new(kind, text.as_str());
        let mut warnings = remarks;
        warnings.extend(repeat_warning(&sample));
        warnings.extend(video.warnings.iter().map(of(WarningKind::Video)));
        warnings.extend(config.warnings.iter().map(of(WarningKind::Model)));
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
        let fitting = budget::fit_to_memory(model, &self.video, settings, self.text_tokens(), allowed);
        Err(EngineError::Memory {
            needed_bytes: needed,
            allowed_bytes: allowed,
            fitting: fitting.map(Box::new),
        })
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
fn repeat_warning(sample: &SamplePlan) -> Option<Warning> {
    let repeats = sample.frames.windows(2).filter(|pair| pair[0].index == pair[1].index).count();
    (repeats > 0).then(|| {
        let frames = sample.frames.len();
        let text =
            format!("{repeats} of {frames} frames repeat the one before: the clip has fewer than that");
        Warning::new(WarningKind::Video, text)
    })
}

/// A prompt longer than the language window is answered all the same, and warned about.
pub(crate) fn window_warning(language_window: usize, tokens: usize) -> Option<Warning> {
    (tokens > language_window).then(|| {
        let text = format!(
            "the prompt takes {tokens} tokens, more than the {language_window} of the language window"
        );
        Warning::new(WarningKind::Window, text)
    })
}
