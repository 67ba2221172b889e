//! Plans and receipts in words.

use crate::units::about;
use crate::words;
use longsight_engine::human_bytes as bytes;
use longsight_engine::index::IndexUse;
use longsight_engine::{Evidence, Fitting, Moment, Receipt, RunPlan, TimeEstimate};
use longsight_method::UnitRole;
use longsight_models::{Dtypes, StoredMatrices};
use longsight_text::escaped;
use longsight_video::{MediaTime, SubtitleReading};

/// One line before a run.
pub fn before(plan: &RunPlan, time: &TimeEstimate) -> String {
    let mut text = format!(
        "{} frames -> {} visual tokens, {} s = {:.3}, about {}, {} to the first token",
        plan.sample.frames.len(),
        plan.pool.visual_tokens(),
        plan.rope.method,
        plan.rope.scale,
        bytes(plan.memory.total_bytes()),
        about(time.first_token_secs),
    );
    for warning in &plan.warnings {
        text.push_str(&format!("\nwarning: {}", words::warning(warning)));
    }
    text
}

/// A few lines after an answer; the warnings of its plan were given before.
pub fn after(receipt: &Receipt, plan: &RunPlan) -> String {
    let (tokens, context, timings) = (&receipt.tokens, &receipt.context, &receipt.timings);
    let fine = receipt.frames.iter().filter(|f| f.role == UnitRole::Fine).count();
    let span = match (receipt.frames.first(), receipt.frames.last()) {
        (Some(first), Some(last)) => format!("{} to {}", first.time_secs, last.time_secs),
        _ => "none".into(),
    };
    let reused = match (receipt.dedupe.reused_frames, receipt.dedupe.setting) {
        (0, _) => String::new(),
        (frames, setting) => format!(", {frames} of them re-used (--dedupe {setting})"),
    };
    let mut text = format!(
        "-- {} frames ({fine} fine) from {span}{reused}, {:?} decoding; {} visual + {} newline + {} text tokens\n\
         -- {} s = {:.3} (window {}, {}), attention factor {:.4}, pool {}, {} weights{}, {} KV cache; {} prompt tokens, {} generated\n\
         -- decode {:.1} s, pixels {:.1} s, vision {:.1} s, prefill {:.1} s, answer {:.1} s; peak memory {}",
        receipt.frames.len(),
        receipt.video.decode_strategy,
        tokens.visual,
        tokens.newline,
        tokens.text,
        context.method,
        context.scale,
        context.window_tokens,
        context.window_source,
        context.attention_factor,
        receipt.pool.spec,
        receipt.model.dtypes,
        otherwise(receipt.model.dtypes, &receipt.model.matrices),
        receipt.kv_cache.dtype,
        tokens.prompt,
        tokens.generated,
        timings.video_decode_secs,
        timings.preprocess_secs,
        timings.vision_secs,
        timings.prefill_secs,
        timings.generate_secs,
        receipt.peak_bytes.map_or("not known on this system".into(), bytes),
    );
    text.push_str(&found(receipt, plan));
    text
}

/// Matrices that are stored as something else than was asked for, since their rows do not fit its blocks.
fn otherwise(dtypes: Dtypes, matrices: &[StoredMatrices]) -> String {
    let others = matrices.iter().filter(|m| m.dtype != dtypes.text && m.dtype != dtypes.vision);
    let parts: Vec<_> = others.map(|m| format!("{} matrices in {}", m.count, m.dtype)).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// What came to light at the first question: what the index gave, and warnings that the plan had not.
pub fn found(receipt: &Receipt, plan: &RunPlan) -> String {
    index(receipt) + &new_warnings(receipt, plan)
}

/// What the index gave and took, where it did.
fn index(receipt: &Receipt) -> String {
    let Some(index) = &receipt.index else { return String::new() };
    let part = |what: &str, used: IndexUse| match used {
        IndexUse::Unused => None,
        IndexUse::Read => Some(format!("{what} read")),
        IndexUse::Written => Some(format!("{what} kept")),
    };
    let parts = [part("embeddings", index.embeddings), part("KV cache", index.kv_prefix)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("\n-- index: {}", parts.join(", ")) }
}

fn new_warnings(receipt: &Receipt, plan: &RunPlan) -> String {
    let new = receipt.warnings.iter().filter(|warning| !plan.warnings.contains(warning));
    new.map(|warning| format!("\nwarning: {}", words::warning(warning))).collect()
}

/// The moments that an answer rests on, a line each.
pub fn moments(evidence: &Evidence) -> String {
    if evidence.moments.is_empty() {
        return "evidence: no moment stands out\n".into();
    }
    let line = |moment: &Moment| {
        let time = |secs: f64| MediaTime::from_secs((secs * 10.0).round() / 10.0);
        let (from, to) = (time(moment.from_secs), time(moment.to_secs));
        format!("evidence: {from} to {to}, {:.0}%\n", 100.0 * moment.score)
    };
    evidence.moments.iter().map(line).collect()
}

/// One line after a turn of a conversation.
pub fn turn(receipt: &Receipt) -> String {
    let (tokens, timings) = (&receipt.tokens, &receipt.timings);
    format!(
        "-- {} prompt tokens, {} of them reused; {} generated; prefill {:.1} s, answer {:.1} s",
        tokens.prompt, tokens.reused, tokens.generated, timings.prefill_secs, timings.generate_secs
    )
}

/// The whole plan.
pub fn plan(plan: &RunPlan, time: &TimeEstimate, fitting: Option<&Fitting>) -> String {
    let (video, sample, pool, memory) = (&plan.video, &plan.sample, &plan.pool, &plan.memory);
    let mut text = format!(
        "video     {}: {}x{} {}, {:.2} s, {} frames ({})\n\
         sampling  {} frames, {}\n",
        escaped(&video.source.name()),
        video.width,
        video.height,
        video.codec,
        video.duration_secs,
        video.total_frames,
        video.frame_count_source,
        sample.frames.len(),
        sample.strategy_reason,
    );
    text.push_str(&frames(plan));
    text.push_str(&format!(
        "tokens    {} visual + {} newline + {} text = {}; pool {} ({}), in {} prefill steps\n\
         context   {}, s = {:.4} (window {}), attention factor {:.4}\n\
         memory    {} = weights {} + KV cache {} ({} tokens in {}) + work {} + video decoder {} + program {}\n\
         time      {} to the first token: decoding {}, vision {}, prefill {} (estimates: weights already loaded, no frame re-used)\n",
        pool.visual_tokens(),
        pool.newline_tokens(),
        plan.text_tokens(),
        plan.layout.total_tokens(),
        pool.spec,
        pool.mode,
        plan.chunks.len(),
        plan.rope.method,
        plan.rope.scale,
        plan.rope.window_tokens,
        plan.rope.attention_factor,
        bytes(memory.total_bytes()),
        bytes(memory.weights_bytes),
        bytes(memory.kv_cache_bytes),
        plan.kv_capacity_tokens,
        plan.kv_dtype,
        bytes(memory.work_bytes),
        bytes(memory.video_decoder_bytes),
        bytes(memory.program_bytes),
        about(time.first_token_secs),
        about(time.video_decode_secs),
        about(time.vision_secs),
        about(time.prefill_secs),
    ));
    if let Some(reading) = &plan.prompt.subtitles {
        text.push_str(&subtitles(reading, plan.prompt.subtitle_cues));
    }
    if let Some(fitting) = fitting {
        text.push_str(&format!("fits      {}\n", words::text(&fitting.text())));
    }
    for warning in &plan.warnings {
        text.push_str(&format!("warning   {}\n", words::warning(warning)));
    }
    text
}

fn subtitles(reading: &SubtitleReading, cues: usize) -> String {
    let stream = reading.stream_index.map(|index| format!("stream {index}, ")).unwrap_or_default();
    let SubtitleReading { format, encoding, encoding_source, .. } = reading;
    format!("subtitles {stream}{format} in {encoding} ({encoding_source}), {cues} cues near the frames\n")
}

/// The frames' times, in groups as they are pooled; a fine frame is marked with a star.
fn frames(plan: &RunPlan) -> String {
    let mut text = String::new();
    let marked = plan.sample.frames.iter().zip(&plan.pool.units).map(|(frame, pooled)| {
        let star = if pooled.role == UnitRole::Fine { '*' } else { ' ' };
        format!("{star}{} #{}", frame.time, frame.index)
    });
    let all: Vec<String> = marked.collect();
    for (i, row) in all.chunks(4).enumerate() {
        let head = if i == 0 { "frames   " } else { "         " };
        text.push_str(head);
        for cell in row {
            text.push_str(&format!(" {cell:<24}"));
        }
        while text.ends_with(' ') {
            text.pop();
        }
        text.push('\n');
    }
    text
}
