//! A language model alone: what it answers greedily, how close its choices were, and how well it predicts a text. For
//! comparisons with other programs on the same file, hence ids and logits.

use crate::Report;
use anyhow::{Context, Result, ensure};
use clap::Args;
use longsight_engine::forcing::{Perplexity, forced_logits, perplexity};
use longsight_engine::{GenerationSettings, RunSettings, Silent, TextSession};
use longsight_models::{Lmm, LoadSettings};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Clone, Args)]
pub(crate) struct TextArgs {
    /// GGUF file
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Questions, one a line, each asked in a conversation of its own
    #[arg(long, value_name = "FILE")]
    questions: PathBuf,
    /// Tokens of each answer; end tokens do not end it
    #[arg(long, value_name = "N", default_value_t = 64)]
    tokens: usize,
    /// Text whose perplexity is measured
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Tokens of a window of that text
    #[arg(long, value_name = "N", default_value_t = 512)]
    window: usize,
}

/// How many of a step's most probable tokens are told.
const CANDIDATES: usize = 8;

#[derive(Debug, Serialize)]
pub(crate) struct TextReport {
    model: String,
    dtype: &'static str,
    answers: Vec<Answer>,
    text_ids: Vec<u32>,
    perplexity: Perplexity,
}

#[derive(Debug, Serialize)]
struct Answer {
    question: String,
    prompt: String,
    prompt_ids: Vec<u32>,
    ids: Vec<u32>,
    text: String,
    /// For each step the most probable tokens with their logits, the answer read in one pass.
    candidates: Vec<Vec<(u32, f32)>>,
}

/// Asks every question, and reads the text.
pub(crate) fn measure(settings: &TextArgs) -> Result<TextReport> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (questions, text) = (read(&settings.questions)?, read(&settings.text)?);
    let model = Arc::new(Lmm::load(&settings.model, &LoadSettings::default())?);
    ensure!(model.config().vision.is_none(), "--model: name the GGUF file of a language model alone");
    let questions = questions.lines().map(str::trim).filter(|line| !line.is_empty());
    let answers =
        questions.map(|question| answer(&model, question, settings.tokens)).collect::<Result<_>>()?;
    let text_ids = model.tokenizer().encode_prompt(&text)?;
    let perplexity = perplexity(&model, &text_ids, settings.window)?;
    Ok(TextReport {
        model: model.config().family.name().to_owned(),
        dtype: model.info().dtypes.text.as_str(),
        answers,
        text_ids,
        perplexity,
    })
}

fn answer(model: &Arc<Lmm>, question: &str, tokens: usize) -> Result<Answer> {
    let generation =
        GenerationSettings { max_new_tokens: tokens, ignore_eos: true, ..GenerationSettings::default() };
    let mut session =
        TextSession::new(Arc::clone(model), RunSettings { generation, ..RunSettings::default() })?;
    let prompt = session.prompt(question)?;
    let prompt_ids = model.tokenizer().encode_prompt(&prompt)?;
    let answer = session.continue_ids(&prompt_ids, &mut Silent)?;
    let ids = answer.generation.token_ids;
    let all: Vec<u32> = prompt_ids.iter().chain(&ids).copied().collect();
    let mut candidates = Vec::new();
    forced_logits(model, &all, prompt_ids.len() - 1..all.len() - 1, &mut |_, logits| {
        candidates.push(largest(logits));
    })?;
    Ok(Answer { question: question.to_owned(), prompt, prompt_ids, ids, text: answer.text, candidates })
}

fn largest(logits: &[f32]) -> Vec<(u32, f32)> {
    let mut all: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(CANDIDATES);
    all
}

impl Report for TextReport {
    fn markdown(&self) -> String {
        let Perplexity { perplexity, counted_tokens, .. } = self.perplexity;
        let answers: String =
            self.answers.iter().map(|a| format!("* {}\n  {:?}\n", a.question, a.text)).collect();
        format!(
            "{} ({}): perplexity {perplexity:.4} over {counted_tokens} tokens\n{answers}",
            self.model, self.dtype
        )
    }
}
