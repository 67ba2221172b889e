use super::output::{answer_json, moments, spread};
use super::prepare::{Loaded, prepare};
use crate::args::AskArgs;
use crate::args::index::IndexKind;
use crate::out::{note, write_text};
use crate::progress::RunProgress;
use crate::{settings, summary, words};
use anyhow::{Context, Result, ensure};
use longsight_engine::evidence::THUMBNAIL_WIDTH;
use longsight_engine::{Evidence, Session};
use longsight_models::processor::{Role, Turn};
use longsight_report::{AnswerReport, AnsweredQuestion, answer_html, write_atomically};
use longsight_text::read_text;
use longsight_video::thumbnails;
use std::path::{Path, PathBuf};

/// Files of questions and earlier turns are smaller than this.
const MAX_TEXT_BYTES: u64 = 16 << 20;
/// Frames shown in a report next to the moments.
const SHEET_FRAMES: usize = 24;

/// `longsight ask`.
pub fn run(args: &AskArgs) -> Result<()> {
    let run = &args.run;
    settings::check_shown(run)?;
    let questions = questions(args)?;
    let report_path = args.report.as_deref().map(|path| report_path(path, &args.video)).transpose()?;
    let history = args.history.as_deref().map(read_history).transpose()?.unwrap_or_default();
    let index = settings::index(&args.index, IndexKind::Embeddings);
    let mut prepared = prepare(&args.video, run)?;
    prepared.resolved.run.evidence = settings::evidence(&args.evidence, args.report.is_some())?;
    let asked: Vec<&str> = questions.iter().map(String::as_str).collect();
    let loaded = prepared.load(&history, &asked, run.engine.quiet)?;
    let mut progress = RunProgress::new(run.engine.quiet, false);
    let session = loaded.start(index.as_ref(), &mut progress);
    progress.finish(false)?;
    let mut session = session?;
    let mut answered = Vec::new();
    for question in questions {
        let mut turns = history.clone();
        turns.push(Turn { role: Role::User, content: question.clone() });
        answered.push(answer(args, &loaded, &mut session, &question, turns, answered.is_empty())?);
    }
    match &report_path {
        Some(path) => report(path, &run.model.model, &loaded, &answered, run.engine.quiet),
        None => Ok(()),
    }
}

/// Answers the last of `turns`, and shows the answer.
fn answer(
    args: &AskArgs,
    loaded: &Loaded,
    session: &mut Session,
    question: &str,
    turns: Vec<Turn>,
    first: bool,
) -> Result<AnsweredQuestion> {
    let run = &args.run;
    let several = args.questions.is_some() || !args.more_questions.is_empty();
    if several && !run.json {
        write_text(&format!("{}> {question}\n", if first { "" } else { "\n" }))?;
    }
    let mut progress = RunProgress::new(run.engine.quiet, !run.json);
    let answer = session.continue_conversation(turns, &mut progress);
    progress.finish(answer.is_ok())?;
    let answer = answer?;
    if run.json {
        answer_json(question, run, loaded, &answer)?;
    } else {
        moments(&answer)?;
        if !run.engine.quiet {
            let receipt = &answer.receipt;
            note(&if first { summary::after(receipt, &loaded.planned.plan) } else { summary::turn(receipt) });
        }
    }
    Ok(AnsweredQuestion { question: question.to_owned(), answer })
}

/// The question, those of -q, and those of a file.
fn questions(args: &AskArgs) -> Result<Vec<String>> {
    let mut questions: Vec<String> = args.question.iter().chain(&args.more_questions).cloned().collect();
    if let Some(path) = &args.questions {
        let text = read_text(path, MAX_TEXT_BYTES)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        questions.extend(lines.map(str::to_owned));
        ensure!(!questions.is_empty(), "{}: holds no question", path.display());
    }
    ensure!(questions.iter().all(|question| !question.trim().is_empty()), "a question is empty");
    Ok(questions)
}

/// Where a report goes, checked before the work: a new file, or a page that it replaces. Nothing else is ever overwritten: a
/// video, a device, another document.
fn report_path(path: &Path, video: &str) -> Result<PathBuf> {
    let name = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    ensure!(folder.is_none_or(Path::is_dir), "{name}: there is no such folder");
    ensure!(path != Path::new("-"), "--report writes a file; name one, such as report.html");
    if path.symlink_metadata().is_err() {
        return Ok(path.to_owned());
    }
    // Through a link to what it stands for, so that the link stays one.
    let target = path.canonicalize().with_context(|| format!("{name}"))?;
    ensure!(std::fs::canonicalize(video).ok().as_ref() != Some(&target), "{name}: is the video itself");
    let extension = target.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_page = matches!(extension.to_ascii_lowercase().as_str(), "html" | "htm");
    ensure!(target.is_file() && is_page, "{name}: exists and is no .html file; it is not overwritten");
    Ok(target)
}

/// Writes the answers as a page.
fn report(
    path: &Path,
    model: &str,
    loaded: &Loaded,
    questions: &[AnsweredQuestion],
    quiet: bool,
) -> Result<()> {
    let mut indices = spread(&loaded.planned.plan, SHEET_FRAMES);
    indices
        .extend(questions.iter().filter_map(|q| q.answer.evidence.as_ref()).flat_map(Evidence::best_frames));
    let decode = &loaded.planned.settings.video.decode;
    let thumbnails = thumbnails(&loaded.planned.plan.video, &indices, THUMBNAIL_WIDTH, decode);
    let thumbnails = thumbnails.unwrap_or_else(|error| {
        note(&format!("warning: no thumbnails: {error}"));
        Vec::new()
    });
    let video = loaded.planned.plan.video.source.name();
    let page = answer_html(&AnswerReport { video: &video, model, questions, thumbnails: &thumbnails });
    write_atomically(path, page.as_bytes())?;
    if !quiet {
        note(&format!("wrote {}", words::path(path)));
    }
    Ok(())
}

fn read_history(path: &Path) -> Result<Vec<Turn>> {
    let name = path.display();
    let text = read_text(path, MAX_TEXT_BYTES)?;
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
