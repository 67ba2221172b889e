//! Answers on their way to people and programs.

use super::{Loaded, note, write_json, write_out};
use crate::args::RunArgs;
use crate::summary;
use anyhow::Result;
use longsight_engine::{Answer, Evidence, Generation, Receipt, RunPlan};
use longsight_video::{Thumbnail, thumbnails};
use serde::Serialize;

/// Width of a thumbnail, in pixels.
const THUMBNAIL_WIDTH: u32 = 320;

/// An answer for programs.
#[derive(Serialize)]
struct AnswerJson<'a> {
    question: &'a str,
    answer: &'a str,
    #[serde(flatten)]
    generation: &'a Generation,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceJson<'a>>,
    receipt: &'a Receipt,
}

/// Evidence for programs, with pictures.
#[derive(Serialize)]
struct EvidenceJson<'a> {
    #[serde(flatten)]
    evidence: &'a Evidence,
    /// The best frame of each moment, as JPEG in a data URL; null where it could not be decoded again.
    thumbnails: Vec<Option<String>>,
}

/// Writes one JSON object on a line of its own.
pub fn answer_json(question: &str, run: &RunArgs, loaded: &Loaded, answer: &Answer) -> Result<()> {
    let Answer { text, generation, evidence, receipt } = answer;
    let evidence = evidence.as_ref().map(|evidence| {
        let pictures = pictures(loaded, &moment_frames(evidence));
        let of = |index: usize| pictures.iter().find(|picture| picture.index == index);
        let thumbnails = evidence.moments.iter().map(|m| of(m.best_frame_index).map(Thumbnail::data_url));
        EvidenceJson { evidence, thumbnails: thumbnails.collect() }
    });
    write_json(&AnswerJson {
        question,
        answer: text,
        generation,
        model: &run.model.model,
        model_commit: loaded.model_commit.as_deref(),
        evidence,
        receipt,
    })
}

/// What follows an answer that was streamed: its moments on standard output, as they were asked for.
pub fn moments(answer: &Answer) -> Result<()> {
    match &answer.evidence {
        Some(evidence) => write_out(summary::moments(evidence).as_bytes()),
        None => Ok(()),
    }
}

/// Indices of the moments' best frames.
pub fn moment_frames(evidence: &Evidence) -> Vec<usize> {
    evidence.moments.iter().map(|moment| moment.best_frame_index).collect()
}

/// Small pictures of the frames of `indices`. Frames that cannot be decoded again are no reason to lose an answer.
pub fn pictures(loaded: &Loaded, indices: &[usize]) -> Vec<Thumbnail> {
    let settings = &loaded.resolved.run.video.decode;
    thumbnails(&loaded.plan.video, indices, THUMBNAIL_WIDTH, settings).unwrap_or_else(|error| {
        note(&format!("warning: no thumbnails: {error}"));
        Vec::new()
    })
}

/// Indices of at most `most` of a plan's frames, evenly spaced.
pub fn spread(plan: &RunPlan, most: usize) -> Vec<usize> {
    let frames = &plan.sample.frames;
    longsight_video::linspace_indices(frames.len(), most.min(frames.len()))
        .into_iter()
        .map(|ordinal| frames[ordinal].index)
        .collect()
}
