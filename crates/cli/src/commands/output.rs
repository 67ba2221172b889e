//! Answers on their way to people and programs.

use super::prepare::Loaded;
use crate::args::run::RunArgs;
use crate::out::{note, write_json, write_text};
use crate::{summary, words};
use anyhow::Result;
use longsight_engine::evidence::IllustratedEvidence;
use longsight_engine::{Answer, Generation, Planned, Receipt, RunPlan};
use serde::Serialize;

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
    evidence: Option<IllustratedEvidence>,
    receipt: &'a Receipt,
}

/// Writes one JSON object on a line of its own.
pub fn answer_json(question: &str, run: &RunArgs, loaded: &Loaded, answer: &Answer) -> Result<()> {
    let Planned { plan, settings } = &loaded.planned;
    let missing = |error| note(&format!("warning: no thumbnails: {}", words::error(&error)));
    let evidence = answer.illustrated(plan, settings, missing);
    let Answer { text, generation, receipt, .. } = answer;
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
        Some(evidence) => write_text(&summary::moments(evidence)),
        None => Ok(()),
    }
}

/// Indices of at most `most` of a plan's frames, evenly spaced.
pub fn spread(plan: &RunPlan, most: usize) -> Vec<usize> {
    let frames = &plan.sample.frames;
    longsight_video::linspace_indices(frames.len(), most.min(frames.len()))
        .into_iter()
        .map(|ordinal| frames[ordinal].index)
        .collect()
}
