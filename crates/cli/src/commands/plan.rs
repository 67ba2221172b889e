use super::prepare::prepare;
use crate::args::PlanArgs;
use crate::out::{write_json, write_text};
use crate::summary;
use anyhow::Result;
use longsight_engine::{
    Fitting, Frames, MemoryEstimate, Planned, RunPlan, TimeEstimate, Warning, fit_to_memory,
};
use longsight_method::{ContextMethod, PoolSpec, UnitRole};
use longsight_models::ModelInfo;
use longsight_video::{MediaTime, SamplePlan, SubtitleReading, VideoInfo};
use serde::Serialize;

/// `longsight plan`.
pub fn run(args: &PlanArgs) -> Result<()> {
    let run = &args.run;
    let mut prepared = prepare(&args.video, run)?;
    let mut planned = prepared.plan(&[], &[&args.question])?;
    let fitting = solve(&prepared.description.info, &planned)?;
    if let Some(fitting) = &fitting {
        prepared.resolved.run = planned.settings;
        prepared.frames = Frames::Chosen;
        prepared.resolved.run.apply(fitting);
        planned = prepared.plan(&[], &[&args.question])?;
    }
    let (info, plan) = (&prepared.description.info, planned.plan);
    let time = TimeEstimate::new(info, &plan);
    if run.json {
        return write_json(&PlanJson::new(&plan, &time, fitting.as_ref()));
    }
    write_text(&summary::plan(&plan, &time, fitting.as_ref()))
}

/// With `--memory`: the largest setting that fits; None without it.
fn solve(info: &ModelInfo, planned: &Planned) -> Result<Option<Fitting>> {
    let Planned { plan, settings } = planned;
    let Some(allowed) = settings.memory_limit_bytes else { return Ok(None) };
    let fitting = fit_to_memory(info, &plan.video, settings, plan.text_tokens(), allowed);
    if fitting.is_none() {
        planned.check_memory(info)?;
    }
    Ok(fitting)
}

/// A plan for programs.
#[derive(Serialize)]
struct PlanJson<'a> {
    video: &'a VideoInfo,
    sampling: &'a SamplePlan,
    frames: Vec<FrameJson>,
    visual_tokens: usize,
    newline_tokens: usize,
    text_tokens: usize,
    prompt_tokens: usize,
    kv_capacity_tokens: usize,
    kv_dtype: &'static str,
    prefill_chunks: usize,
    context: ContextMethod,
    scale: f64,
    attention_factor: f64,
    window_tokens: usize,
    pool: PoolSpec,
    subtitle_cues: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtitles: Option<&'a SubtitleReading>,
    memory: MemoryEstimate,
    memory_total_bytes: u64,
    time: &'a TimeEstimate,
    #[serde(skip_serializing_if = "Option::is_none")]
    fitted_to_memory: Option<&'a Fitting>,
    warnings: &'a [Warning],
}

#[derive(Serialize)]
struct FrameJson {
    index: usize,
    time_secs: MediaTime,
    role: UnitRole,
    stride: usize,
    visual_tokens: usize,
}

impl<'a> PlanJson<'a> {
    fn new(plan: &'a RunPlan, time: &'a TimeEstimate, fitting: Option<&'a Fitting>) -> Self {
        let frames = plan.sample.frames.iter().zip(&plan.pool.units).map(|(planned, pooled)| FrameJson {
            index: planned.index,
            time_secs: planned.time,
            role: pooled.role,
            stride: pooled.stride,
            visual_tokens: pooled.visual_tokens,
        });
        Self {
            video: &plan.video,
            sampling: &plan.sample,
            frames: frames.collect(),
            visual_tokens: plan.pool.visual_tokens(),
            newline_tokens: plan.pool.newline_tokens(),
            text_tokens: plan.text_tokens(),
            prompt_tokens: plan.layout.total_tokens(),
            kv_capacity_tokens: plan.kv_capacity_tokens,
            kv_dtype: plan.kv_dtype.as_str(),
            prefill_chunks: plan.chunks.len(),
            context: plan.rope.method,
            scale: plan.rope.scale,
            attention_factor: plan.rope.attention_factor,
            window_tokens: plan.rope.window_tokens,
            pool: plan.pool.spec,
            subtitle_cues: plan.prompt.subtitle_cues,
            subtitles: plan.prompt.subtitles.as_ref(),
            memory: plan.memory,
            memory_total_bytes: plan.memory.total_bytes(),
            time,
            fitted_to_memory: fitting,
            warnings: &plan.warnings,
        }
    }
}
