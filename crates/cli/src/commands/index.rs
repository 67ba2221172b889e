//! `longsight index`.

use super::prepare::prepare;
use crate::args::index::{
    IndexArgs, IndexCommand, IndexEntryArgs, IndexPlace, IndexReadArgs, IndexRemoveArgs,
};
use crate::out::{note, write_json, write_pretty_json, write_text};
use crate::progress::RunProgress;
use crate::{settings, words};
use anyhow::{Context, Result, bail, ensure};
use longsight_engine::{EntryInfo, Index, IndexContents, IndexUse, Store, WarningKind, human_bytes};
use serde_json::json;
use std::path::Path;

/// Runs the command that was typed.
pub fn run(args: &IndexArgs) -> Result<()> {
    match &args.command {
        None => add(args),
        Some(IndexCommand::List(args)) => list(args),
        Some(IndexCommand::Show(args)) => show(args),
        Some(IndexCommand::Rm(args)) => remove(args),
        Some(IndexCommand::Gc(args)) => collect_garbage(args),
        Some(IndexCommand::Verify(args)) => verify(args),
    }
}

/// Encodes and prefills a video, and keeps both.
fn add(args: &IndexArgs) -> Result<()> {
    let video = args.video.as_deref().context("which video?")?;
    let run = &args.run;
    let index = Index::new(settings::index_place(&args.place), IndexContents::Kv);
    let mut prepared = prepare(video, run)?;
    // What evidence is compared with is kept as well.
    prepared.resolved.run.evidence = Some(Default::default());
    let loaded = prepared.load(&[], &[], run.engine.quiet)?;
    let mut progress = RunProgress::new(run.engine.quiet, false);
    let session = loaded.start(Some(&index), &mut progress);
    progress.finish(false)?;
    let session = session?;
    let problems = session.index_warnings();
    let Some(receipt) = session.index().filter(|_| problems.is_empty()) else {
        let mut warnings = session.plan().warnings.iter().chain(problems);
        let problem = warnings.find(|warning| warning.kind == WarningKind::Index);
        let kept = session.index().is_some_and(|receipt| receipt.embeddings != IndexUse::Unused);
        let what = if kept {
            "the video's KV cache was not kept (its embeddings were)"
        } else {
            "the video was not indexed"
        };
        bail!(
            "{what}: {}",
            problem.map_or("no reason was given".into(), |warning| words::text(&warning.text))
        );
    };
    let bytes: u64 = index.store().list()?.iter().map(|entry| entry.bytes).sum();
    if run.json {
        return write_json(&json!({ "video": video, "index": receipt, "index_bytes": bytes }));
    }
    if !run.engine.quiet {
        note(&format!(
            "indexed {video}: {} frames, {} visual tokens; the index holds {} of {}",
            loaded.planned.plan.sample.frames.len(),
            loaded.planned.plan.pool.visual_tokens(),
            human_bytes(bytes),
            human_bytes(index.store().settings().limit_bytes),
        ));
    }
    Ok(())
}

fn store(place: &IndexPlace) -> Store {
    Store::new(settings::index_place(place))
}

fn list(args: &IndexReadArgs) -> Result<()> {
    let store = store(&args.place);
    let entries = store.list()?;
    if args.json {
        return write_json(&entries);
    }
    let mut text = String::new();
    for entry in &entries {
        text.push_str(&format!(
            "{:<24} {:>10}  {:>9} ago  {}\n",
            entry.name.chars().take(24).collect::<String>(),
            human_bytes(entry.bytes),
            age(entry.used_unix_secs),
            contents(entry),
        ));
    }
    let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    text.push_str(&format!(
        "{} entries, {} of {} in {}\n",
        entries.len(),
        human_bytes(total),
        human_bytes(store.settings().limit_bytes),
        words::path(&store.settings().folder)
    ));
    write_text(&text)
}

/// What an entry was computed from, in a line.
fn contents(entry: &EntryInfo) -> String {
    if entry.about.is_null() {
        return "damaged: `longsight index gc` removes it".into();
    }
    let about = |key: &str| match &entry.about[key] {
        serde_json::Value::String(text) => text.replace(char::is_control, "\u{fffd}"),
        serde_json::Value::Null => "?".into(),
        other => other.to_string(),
    };
    let [frames, pool, context] = ["frames", "pool", "context"].map(about);
    format!("{frames} frames, {pool}, {context}, {}  {}", about("dtype"), about("video"))
}

/// `5 min`, in the largest unit that gives a whole number.
fn age(unix_secs: u64) -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let secs = now.saturating_sub(unix_secs);
    let units = [(86_400, "days"), (3600, "h"), (60, "min"), (1, "s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| secs >= *unit).unwrap_or((1, "s"));
    format!("{} {name}", secs / unit)
}

fn show(args: &IndexEntryArgs) -> Result<()> {
    for entry in named(&store(&args.read.place).list()?, &args.name)? {
        if args.read.json {
            write_json(&entry)?;
        } else {
            write_pretty_json(&entry)?;
        }
    }
    Ok(())
}

/// The entries of a video, or the one of a name or of the beginning of one name only.
fn named<'a>(entries: &'a [EntryInfo], name: &str) -> Result<Vec<&'a EntryInfo>> {
    let of_video: Vec<_> = entries.iter().filter(|entry| is_of(entry, name)).collect();
    if !of_video.is_empty() {
        return Ok(of_video);
    }
    ensure!(!Path::new(name).exists(), "{name}: the index holds nothing of it");
    let mut matching = entries.iter().filter(|entry| entry.name.starts_with(name));
    let Some(entry) = matching.next() else {
        bail!("{name}: no such entry; see `longsight index list`");
    };
    ensure!(matching.next().is_none(), "{name}: several entries begin so; give more of the name");
    Ok(vec![entry])
}

fn remove(args: &IndexRemoveArgs) -> Result<()> {
    let store = store(&args.read.place);
    let mut removed = Vec::new();
    let all = store.list()?;
    if args.all {
        removed = all;
    } else {
        for name in &args.names {
            removed.extend(named(&all, name)?.into_iter().cloned());
        }
    }
    for entry in &removed {
        store.remove(entry)?;
    }
    let bytes: u64 = removed.iter().map(|entry| entry.bytes).sum();
    let names: Vec<&str> = removed.iter().map(|entry| entry.name.as_str()).collect();
    if args.read.json {
        return write_json(&json!({ "removed": names, "bytes": bytes }));
    }
    write_text(&format!("removed {} entries, {}\n", names.len(), human_bytes(bytes)))
}

/// Whether an entry is about the video at this very place, however its path was typed; of a video that has gone, by its whole path.
fn is_of(entry: &EntryInfo, video: &str) -> bool {
    // A video that is gone is found by where it was.
    let gone = || std::path::absolute(video).unwrap_or_else(|_| video.into());
    let place = std::fs::canonicalize(video).unwrap_or_else(|_| gone());
    place.is_absolute() && entry.about["video"].as_str().is_some_and(|about| Path::new(about) == place)
}

fn collect_garbage(args: &IndexReadArgs) -> Result<()> {
    let garbage = store(&args.place).collect_garbage()?;
    if args.json {
        return write_json(&garbage);
    }
    let text = format!(
        "removed {} unfinished, {} damaged, {} beyond the limit; {}\n",
        garbage.unfinished.len(),
        garbage.damaged.len(),
        garbage.evicted.len(),
        human_bytes(garbage.bytes)
    );
    write_text(&text)
}

/// Exit status is not 0 where anything is damaged.
fn verify(args: &IndexReadArgs) -> Result<()> {
    let store = store(&args.place);
    let verdicts = store.verify()?;
    let abandoned = store.abandoned()?.len();
    let damaged: Vec<_> = verdicts.iter().filter(|verdict| verdict.problem.is_some()).collect();
    if args.json {
        write_json(&json!({ "entries": verdicts, "damaged": damaged.len(), "unfinished": abandoned }))?;
    } else {
        let mut text = String::new();
        for verdict in &damaged {
            text.push_str(&format!("{}: {}\n", verdict.name, verdict.problem.as_deref().unwrap_or_default()));
        }
        let good = verdicts.len() - damaged.len();
        text.push_str(&format!("{good} entries are whole, {} damaged", damaged.len()));
        if abandoned > 0 {
            text.push_str(&format!(
                "; {abandoned} files of interrupted runs, which `longsight index gc` removes"
            ));
        }
        write_text(&format!("{text}\n"))?;
    }
    ensure!(
        damaged.is_empty(),
        "{} entries of the index are damaged; `longsight index gc` removes them",
        damaged.len()
    );
    Ok(())
}
