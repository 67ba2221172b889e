use super::{Loaded, note, prepare, write_answer_json};
use crate::args::AskArgs;
use crate::progress::RunProgress;
use crate::summary;
use anyhow::{Context, Result, ensure};
use longsight_engine::Session;
use longsight_models::processor::{Role, Turn};
use std::path::Path;

/// `longsight ask`.
pub fn run(args: &AskArgs) -> Result<()> {
    let run = &args.run;
    let history = args.history.as_deref().map(read_history).transpose()?.unwrap_or_default();
    let mut prepared = prepare(&args.video, run)?;
    let said: String = history.iter().map(|turn| turn.content.as_str()).collect();
    prepared.resolved.run.engine.spare_tokens = history_tokens(&prepared.description, &said, history.len())?;
    let Loaded { resolved, plan, model, model_commit } = prepared.load(&args.question, run.engine.quiet)?;
    let mut progress = RunProgress::new(run.engine.quiet, !run.json);
    let mut session = Session::start(&model, plan, &resolved.run, &mut progress)?;
    let mut turns = history;
    turns.push(Turn { role: Role::User, content: args.question.clone() });
    let answer = session.continue_conversation(turns, &mut progress);
    progress.finish(answer.is_ok())?;
    let answer = answer?;
    if run.json {
        return write_answer_json(&args.question, &run.model.model, model_commit.as_deref(), &answer);
    }
    if !run.engine.quiet {
        note(&summary::after(&answer.receipt, session.plan()));
    }
    Ok(())
}

fn read_history(path: &Path) -> Result<Vec<Turn>> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{name}"))?;
    let turns: Vec<Turn> = serde_json::from_str(&text)
        .with_context(|| format!("{name}: not a JSON list of {{\"role\", \"content\"}} turns"))?;
    let speaker = |i: usize| if i.is_multiple_of(2) { Role::User } else { Role::Assistant };
    let alternate = turns.iter().enumerate().all(|(i, turn)| turn.role == speaker(i));
    ensure!(
        alternate && turns.len().is_multiple_of(2),
        "{name}: earlier turns begin with the user, end with the assistant, and alternate; the question is the next"
    );
    Ok(turns)
}

/// Room that earlier turns need: their tokens, and the template's around each.
fn history_tokens(description: &longsight_models::Description, said: &str, turns: usize) -> Result<usize> {
    const TEMPLATE_TOKENS: usize = 16;
    Ok(description.info.tokenizer.encode(said)?.len() + turns * TEMPLATE_TOKENS)
}
