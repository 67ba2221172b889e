use super::chat_text;
use super::output::{answer_json, moments};
use super::prepare::prepare;
use super::questions::next_question;
use crate::args::ChatArgs;
use crate::args::index::IndexKind;
use crate::out::note;
use crate::progress::RunProgress;
use crate::{settings, summary, words};
use anyhow::Result;
use std::io::IsTerminal;

/// `longsight chat`: each line of standard input is a question; without a video, to a language model alone.
pub fn run(args: &ChatArgs) -> Result<()> {
    let run = &args.run;
    settings::check_shown(run)?;
    let Some(video) = &args.video else { return chat_text::run(args) };
    let mut prepared = prepare(video, run)?;
    prepared.resolved.run.engine.spare_tokens = args.chat_tokens;
    prepared.resolved.run.evidence = settings::evidence(&args.evidence, false)?;
    let loaded = prepared.load(&[], &[], run.engine.quiet)?;
    let mut progress = RunProgress::new(run.engine.quiet, false);
    let session = loaded.start(settings::index(&args.index, IndexKind::Embeddings).as_ref(), &mut progress);
    progress.finish(false)?;
    let mut session = session?;
    let mut first = true;
    while let Some(question) = next_question()? {
        let mut progress = RunProgress::new(run.engine.quiet, !run.json);
        let answer = session.ask(&question, &mut progress);
        progress.finish(answer.is_ok())?;
        match answer {
            Ok(answer) if run.json => answer_json(&question, run, &loaded, &answer)?,
            Ok(answer) => {
                moments(&answer)?;
                if !run.engine.quiet {
                    let found = if first {
                        summary::found(&answer.receipt, &loaded.planned.plan)
                    } else {
                        String::new()
                    };
                    note(&(summary::turn(&answer.receipt) + &found));
                }
                first = false;
            }
            // At a terminal one question that fails is no reason to lose the conversation.
            Err(error) if std::io::stdin().is_terminal() => {
                note(&format!("longsight: {}", words::error(&error)))
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
