//! What a run will do, known before any frame is decoded: frames, tokens, positions, bytes.

use crate::budget::{self, MemoryEstimate};
use crate::evidence::NEUTRAL_PROMPT;
use crate::settings::{PromptSettings, RunSettings, SubtitleSource};
use crate::{EngineError, Result};
use longsight_method::{EngineShape, ModelShape, PoolPlan, PositionPlan, RopePlan, chunk_plan};
use longsight_models::families::llava::Family;
use longsight_models::processor::{Conversation, PromptText, Role, Turn};
use longsight_models::{KvDtype, ModelInfo};
use longsight_video::{
    FrameBudget, SamplePlan, SampleSettings, VideoInfo, VideoSource, cues_near_frames, embedded_subtitles,
    linspace_indices, probe, read_subtitles, sample, subtitle_prompt,
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
    /// What each position of the prompt is.
    pub positions: PositionPlan,
    /// Prefill steps.
    pub chunks: Vec<Range<usize>>,
    /// Ids before the visual tokens.
    pub before_ids: Vec<u32>,
    /// Ids directly before each frame, where text and frames are interleaved (the first frame's are in `before_ids`);
    /// else empty.
    pub between_ids: Vec<Vec<u32>>,
    /// Ids from the visual tokens to where the answer begins.
    pub after_ids: Vec<u32>,
    /// What the user's first turn says before the question: time instruction, subtitles.
    pub preamble: String,
    /// Subtitle cues in the preamble.
    pub subtitle_cues: usize,
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
        let frames = sample.frames.len();
        let pool = match &settings.prompt.interleaved {
            None => config.pool_plan(frames, settings.pool)?,
            Some(texts) if texts.len() == frames => config.still_pool_plan(frames, settings.pool)?,
            Some(texts) => {
                return Err(EngineError::Setting(format!(
                    "{} texts for {frames} frames: interleaving takes one a frame",
                    texts.len()
                )));
            }
        };
        let context = &settings.context;
        let shape = config.rope_shape(context.visual_window_tokens, context.language_window_tokens);
        let rope = RopePlan::new(&context.rope(config.ramp), &shape, pool.window_tokens())?;
        let (preamble, subtitle_cues, mut warnings) = preamble(model, &video, &sample, settings)?;
        let turns = [Turn { role: Role::User, content: question.to_owned() }];
        let prompt = render(model, &preamble, &turns, settings)?;
        let (before_ids, between_ids) = before_and_between(model, &prompt.before, &settings.prompt)?;
        let after_ids = model.tokenizer.encode(&prompt.after)?;
        let between: Vec<usize> = between_ids.iter().map(Vec::len).collect();
        let positions = PositionPlan::interleaved(before_ids.len(), &between, &pool, after_ids.len());
        let mut kv_capacity_tokens =
            positions.total_tokens() + settings.generation.max_new_tokens + settings.engine.spare_tokens;
        if settings.evidence.is_some() {
            let neutral = [Turn { role: Role::User, content: NEUTRAL_PROMPT.to_owned() }];
            let ids = model.tokenizer.encode(&render(model, &preamble, &neutral, settings)?.after)?;
            kv_capacity_tokens = kv_capacity_tokens.max(positions.visual_prefix_tokens() + ids.len());
        }
        let chunks = chunk_plan(
            positions.visual_prefix_tokens(),
            positions.total_tokens(),
            settings.engine.chunk_tokens,
        );
        let memory = budget::estimate(model, settings, &video, kv_capacity_tokens);
        warnings.extend(special_token_warning(model, &format!("{preamble}{question}")));
        warnings.extend(repeat_warning(&sample));
        warnings.extend(video.warnings.iter().cloned());
        warnings.extend(config.warnings.iter().cloned());
        warnings.extend(window_warning(config.text.max_positions, positions.total_tokens()));
        Ok(Self {
            video,
            sample,
            pool,
            rope,
            positions,
            chunks,
            before_ids,
            between_ids,
            after_ids,
            preamble,
            subtitle_cues,
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

    /// Ids from the visual tokens to where the answer to the last of `turns` begins.
    pub(crate) fn question_ids(
        &self,
        model: &ModelInfo,
        turns: &[Turn],
        settings: &RunSettings,
    ) -> Result<Vec<u32>> {
        Ok(model.tokenizer.encode(&render(model, &self.preamble, turns, settings)?.after)?)
    }

    /// Prompt tokens that are not visual, without the answer.
    pub fn text_tokens(&self) -> usize {
        let between: usize = self.between_ids.iter().map(Vec::len).sum();
        self.before_ids.len() + between + self.after_ids.len()
    }
}

/// The conversation as text, with `preamble` before the first question. Spellings of special tokens in what people or
/// subtitles say are broken by a zero-width space: they must not end a turn or forge one.
fn render(model: &ModelInfo, preamble: &str, turns: &[Turn], settings: &RunSettings) -> Result<PromptText> {
    let mut turns = turns.to_vec();
    if let Some(first) = turns.first_mut() {
        first.content.insert_str(0, preamble);
    }
    for turn in &mut turns {
        turn.content = without_special_tokens(model, &turn.content);
    }
    let prompt = &settings.prompt;
    let conversation = Conversation {
        turns: &turns,
        system: prompt.system.as_deref(),
        answer_prefix: &prompt.answer_prefix,
        frames_inline: prompt.interleaved.is_some(),
    };
    Ok(model.template.render(settings.template, &conversation)?)
}

/// Ids before the first frame, and before each frame where texts are interleaved. What stands before the first frame is
/// tokenised as one piece, as LLaVA splits a prompt at its images.
fn before_and_between(
    model: &ModelInfo,
    before: &str,
    prompt: &PromptSettings,
) -> Result<(Vec<u32>, Vec<Vec<u32>>)> {
    let Some((first, others)) = prompt.interleaved.as_deref().and_then(<[String]>::split_first) else {
        return Ok((model.tokenizer.encode(before)?, Vec::new()));
    };
    let encode = |text: &str| model.tokenizer.encode(text);
    let before_ids = encode(&format!("{before}{}", without_special_tokens(model, first)))?;
    let mut between_ids = vec![Vec::new()];
    for text in others {
        between_ids.push(encode(&without_special_tokens(model, text))?);
    }
    Ok((before_ids, between_ids))
}

/// `text` with the spellings of special tokens broken.
fn without_special_tokens(model: &ModelInfo, text: &str) -> String {
    let mut text = text.to_owned();
    for token in model.tokenizer.added_tokens().iter().filter(|token| !token.is_empty()) {
        if text.contains(token.as_str()) {
            text = text.replace(token.as_str(), &broken(token));
        }
    }
    text
}

/// A token's spelling with a zero-width space behind its first character.
fn broken(token: &str) -> String {
    let mut characters = token.chars();
    characters.next().map(|first| format!("{first}\u{200b}{}", characters.as_str())).unwrap_or_default()
}

fn special_token_warning(model: &ModelInfo, text: &str) -> Option<String> {
    let found =
        model.tokenizer.added_tokens().into_iter().find(|t| !t.is_empty() && text.contains(t.as_str()))?;
    Some(format!(
        "the question or the subtitles contain the special token {found}; it is taken as plain text"
    ))
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

/// Sizes that the budget's formulas take.
pub(crate) fn shapes(model: &ModelInfo, settings: &RunSettings) -> (ModelShape, EngineShape) {
    let kv_dtype = settings.kv_dtype(model);
    let engine = EngineShape {
        kv_bytes_per_value: kv_dtype.value_bytes(),
        kv_bytes_per_scale: kv_dtype.scale_bytes(),
        chunk_tokens: settings.engine.chunk_tokens,
        encode_batch_frames: settings.engine.encode_batch_frames,
        threads: longsight_kernels::threads(),
    };
    (model.config.model_shape(model.weights_bytes, model.vocabulary), engine)
}

/// A prompt longer than the language window is answered all the same, and warned about.
pub(crate) fn window_warning(language_window: usize, tokens: usize) -> Option<String> {
    (tokens > language_window).then(|| {
        format!("the prompt takes {tokens} tokens, more than the {language_window} of the language window")
    })
}

/// What stands before the question in the first turn, the number of cues in it, and warnings.
fn preamble(
    model: &ModelInfo,
    video: &VideoInfo,
    sample: &SamplePlan,
    settings: &RunSettings,
) -> Result<(String, usize, Vec<String>)> {
    let mut text = String::new();
    let mut warnings = Vec::new();
    let prompt = &settings.prompt;
    if model.config.family == Family::Video && prompt.interleaved.is_none() && !prompt.no_time_instruction {
        text.push_str(&time_instruction(video, sample));
    }
    let Some(source) = &settings.subtitles else { return Ok((text, 0, warnings)) };
    let subtitles = match source {
        SubtitleSource::File(path) => read_subtitles(path)?,
        SubtitleSource::Embedded => embedded_subtitles(video, &settings.video.decode)?,
    };
    if subtitles.unreadable_cues > 0 {
        warnings
            .push(format!("{} subtitle cues could not be read and are left out", subtitles.unreadable_cues));
    }
    let times: Vec<_> = sample.frames.iter().map(|f| f.time).collect();
    let near = cues_near_frames(&subtitles.cues, &times);
    if near.len() < subtitles.cues.len() {
        let (used, all) = (near.len(), subtitles.cues.len());
        warnings.push(format!(
            "{used} of {all} subtitles lie near a sampled frame; only these are in the prompt"
        ));
    }
    if near.is_empty() {
        return Ok((text, 0, warnings));
    }
    text.push_str(&subtitle_prompt(&near));
    text.push('\n');
    Ok((text, near.len(), warnings))
}

/// The sentence that LLaVA-Video was trained with (LLaVA-NeXT `llava/train/train.py`).
fn time_instruction(video: &VideoInfo, sample: &SamplePlan) -> String {
    let times: Vec<_> = sample.frames.iter().map(|f| format!("{:.2}s", f.time.secs())).collect();
    format!(
        "The video lasts for {:.2} seconds, and {} frames are uniformly sampled from it. These frames are located at {}.Please answer the following questions related to this video.\n",
        video.duration_secs,
        times.len(),
        times.join(",")
    )
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
