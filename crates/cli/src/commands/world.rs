//! `longsight world`.

use crate::args::world::{FootageArgs, MakeArgs, NeedlesArgs, WorldCommand};
use crate::out::{note, write_json};
use crate::progress::WorldBar;
use crate::words;
use anyhow::Result;
use longsight_world::{
    NeedleSettings, Progress, Summary, Tools, WorldError, WorldSettings, make, make_needles,
};
use std::path::Path;

/// Runs the command that was typed.
pub fn run(command: &WorldCommand) -> Result<()> {
    match command {
        WorldCommand::Make(args) => make_world(args),
        WorldCommand::Needles(args) => needles(args),
    }
}

fn make_world(args: &MakeArgs) -> Result<()> {
    let settings = WorldSettings {
        videos: args.videos,
        layout: args.layout,
        cards: args.cards.into(),
        card_secs: args.card_secs.into(),
        card_min_share: args.card_min_share,
        gap_secs: args.gap_secs,
        questions_per_video: args.questions_per_video,
        kinds: args.kinds.clone(),
        ..footage(&args.footage, WorldSettings::default())
    };
    let made = shown(args.footage.quiet, |observer| {
        Ok(make(&settings, &Tools::default(), &args.out, observer).map_err(by_flag)?)
    })?;
    report(&made, &args.out, &args.footage)
}

fn needles(args: &NeedlesArgs) -> Result<()> {
    let haystack = footage(&args.footage, NeedleSettings::default().haystack);
    let settings = NeedleSettings { needles: args.needles, haystack };
    let made = shown(args.footage.quiet, |observer| {
        Ok(make_needles(&settings, &Tools::default(), &args.out, observer).map_err(by_flag)?)
    })?;
    report(&made, &args.out, &args.footage)
}

/// A setting that is invalid, named as its flag.
fn by_flag(error: WorldError) -> WorldError {
    let WorldError::Setting(text) = &error else { return error };
    match text.split_once(':') {
        Some((name, rest)) if name.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
            WorldError::Setting(format!("--{}:{rest}", name.replace('_', "-")))
        }
        _ => error,
    }
}

fn footage(args: &FootageArgs, base: WorldSettings) -> WorldSettings {
    WorldSettings {
        seed: args.seed,
        duration_secs: args.duration_secs.map_or(base.duration_secs, Into::into),
        codecs: args.codecs.clone(),
        frame_rates: args.frame_rates.clone(),
        sizes: args.sizes.clone(),
        footage: args.footage.clone(),
        segment_secs: args.segment_secs.into(),
        distractors: args.distractors.into(),
        card_size: args.card_size.into(),
        tilt_degrees: args.tilt_degrees,
        stage: args.stage,
        parallel_videos: args.parallel,
        ..base
    }
}

/// Makes something under a progress bar.
pub fn shown(quiet: bool, work: impl FnOnce(&mut dyn FnMut(Progress)) -> Result<Summary>) -> Result<Summary> {
    let mut bar = WorldBar::new(quiet);
    let made = work(&mut |progress| bar.show(progress));
    bar.finish();
    made
}

fn report(made: &Summary, out: &Path, args: &FootageArgs) -> Result<()> {
    if args.json {
        return write_json(made);
    }
    if !args.quiet {
        let Summary { videos_made, videos_kept, duration_secs, questions, .. } = made;
        let kept = if *videos_kept > 0 { format!(" ({videos_kept} were there)") } else { String::new() };
        note(&format!(
            "{}: made {videos_made} videos{kept}, {:.1} minutes in all, {questions} questions",
            words::path(out),
            duration_secs / 60.0
        ));
    }
    Ok(())
}
