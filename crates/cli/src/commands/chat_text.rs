//! `longsight chat` without a video: a conversation with a language model alone.

use super::questions::next_question;
use crate::args::ChatArgs;
use crate::out::{note, write_json};
use crate::progress::RunProgress;
use crate::{model, settings, words};
use anyhow::{Result, ensure};
use longsight_engine::{TextAnswer, TextReceipt, TextSession};
use serde::Serialize;
use std::io::IsTerminal;
use std::sync::Arc;

/// An answer for programs.
#[derive(Serialize)]
struct TextAnswerJson<'a> {
    question: &'a str,
    model: &'a str,
    #[serde(flatten)]
    answer: &'a TextAnswer,
}

/// Each line of standard input is a question.
pub fn run(args: &ChatArgs) -> Result<()> {
    let run = &args.run;
    let mut resolved = settings::resolve(run)?;
    resolved.run.engine.spare_tokens = args.chat_tokens;
    let evidence = settings::evidence(&args.evidence, false)?;
    let folder = model::folder(&run.model.model, run.engine.quiet)?;
    let description = model::describe(&folder, &resolved)?;
    ensure!(
        description.info.config.vision.is_none(),
        "name a video: longsight chat VIDEO; a language model alone (--model FILE.gguf) talks without one"
    );
    ensure!(evidence.is_none(), "--evidence: there is no video whose moments could be listed");
    let model = Arc::new(model::load(description, &resolved)?);
    let mut session = TextSession::new(model, resolved.run)?;
    while let Some(question) = next_question()? {
        let mut progress = RunProgress::new(run.engine.quiet, !run.json);
        let answer = session.ask(&question, &mut progress);
        progress.finish(answer.is_ok())?;
        match answer {
            Ok(answer) if run.json => {
                let (question, model) = (question.as_str(), run.model.model.as_str());
                write_json(&TextAnswerJson { question, model, answer: &answer })?;
            }
            Ok(answer) if !run.engine.quiet => note(&summary(&answer)),
            Ok(_) => {}
            Err(error) if std::io::stdin().is_terminal() => {
                note(&format!("longsight: {}", words::error(&error)))
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn summary(answer: &TextAnswer) -> String {
    let TextReceipt { prompt_tokens, reused_tokens, prefill_secs, generate_secs, .. } = &answer.receipt;
    let generated = answer.generation.token_ids.len();
    format!(
        "-- {prompt_tokens} prompt tokens, {reused_tokens} of them reused; {generated} generated; prefill {prefill_secs:.1} s, answer {generate_secs:.1} s"
    )
}
