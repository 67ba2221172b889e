use super::output::{answer_json, moments};
use super::{chat_text, note, prepare};
use crate::args::ChatArgs;
use crate::args::index::IndexKind;
use crate::progress::RunProgress;
use crate::{settings, summary};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, IsTerminal, Write};

/// `longsight chat`: each line of standard input is a question; without a video, to a language model alone.
pub fn run(args: &ChatArgs) -> Result<()> {
    let run = &args.run;
    settings::check_shown(run)?;
    let Some(video) = &args.video else { return chat_text::run(args) };
    let mut prepared = prepare(video, run)?;
    prepared.resolved.run.engine.spare_tokens = args.chat_tokens;
    prepared.resolved.run.evidence = settings::evidence(&args.evidence, false)?;
    let loaded = prepared.load("", run.engine.quiet)?;
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
                    let found =
                        if first { summary::found(&answer.receipt, &loaded.plan) } else { String::new() };
                    note(&(summary::turn(&answer.receipt) + &found));
                }
                first = false;
            }
            // At a terminal one question that fails is no reason to lose the conversation.
            Err(error) if std::io::stdin().is_terminal() => note(&format!("longsight: {error}")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The next line that is not blank; None at the end of input.
pub(super) fn next_question() -> Result<Option<String>> {
    let input = std::io::stdin();
    loop {
        if input.is_terminal() {
            write!(std::io::stderr(), "> ")?;
        }
        let mut line = Vec::new();
        if input.lock().read_until(b'\n', &mut line).context("standard input")? == 0 {
            return Ok(None);
        }
        match std::str::from_utf8(&line).map(str::trim) {
            Ok("") => (),
            Ok(question) => return Ok(Some(question.to_owned())),
            // As with a question that fails.
            Err(_) if input.is_terminal() => note("longsight: that is no UTF-8 text"),
            Err(_) => bail!("standard input: a question is no UTF-8 text"),
        }
    }
}
