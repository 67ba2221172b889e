use super::prepare::{distinct, refuse_flags_of_ask};
use crate::args::eval::NeedleArgs;
use crate::out::{note, write_json, write_text};
use crate::progress::EvalBar;
use crate::{model, settings, words};
use anyhow::{Result, ensure};
use longsight_engine::{Observer, Stage};
use longsight_eval::needle::{
    Cell, NeedleData, NeedleFolder, NeedleSettings, NeedleWatch, finish, run as run_cells,
};
use longsight_eval::run::{Environment, Running, checkpoint_digest, machine};
use longsight_world::{NeedleSettings as WorldNeedles, Range, make_needles};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// `longsight eval needle`.
pub fn run(args: &NeedleArgs) -> Result<()> {
    let run = &args.run;
    let video = &run.video;
    ensure!(
        video.frames.is_none() && video.fps.is_none() && video.max_frames.is_none(),
        "a needle test takes its frames from --lengths, one a second; leave out --frames, --fps and --max-frames"
    );
    refuse_flags_of_ask(run)?;
    let resolved = settings::resolve(run)?;
    let mut settings = NeedleSettings {
        lengths: distinct(&args.lengths),
        depths_percent: distinct(&args.depths),
        free_form: !args.no_free_form,
        run: resolved.run.clone(),
    };
    settings.check()?;
    if run.generation.max_new_tokens.is_none() {
        settings.run.generation.max_new_tokens = 16;
    }
    let checkpoint = model::folder(&run.model.model, run.engine.quiet)?;
    let description = model::describe(&checkpoint, &resolved)?;
    settings.run.pool = Some(settings.run.pool_spec(&description.info)); // pinned, whatever is usual later
    let folder = data_folder(args)?;
    let data = NeedleData::open(&folder, &resolved.run)?;
    let pinned = json!({
        "task": "needle",
        "data": data.pinned(),
        "free_form": settings.free_form,
        "model_digest": checkpoint_digest(&checkpoint.path)?,
        "dtype": description.info.dtypes.to_string(),
        "decoder": resolved.run.video.probe.tools.version()?,
        "longsight_version": env!("CARGO_PKG_VERSION"),
        "settings": settings.run.manifest(),
    });
    let environment = Environment {
        model: run.model.model.clone(),
        data: folder,
        machine: machine(),
        device: format!("{:?}", run.model.device).to_lowercase(),
        threads: longsight_kernels::threads(),
        ..Default::default()
    };
    let mut test = NeedleFolder::open(&args.out, &pinned, &environment)?;
    let model = Arc::new(model::load(description, &resolved)?);
    let mut watch =
        CellWatch { json: run.json, bar: EvalBar::new(run.engine.quiet, 0), right: 0, broken: None };
    let outcome = run_cells(&model, &data, &settings, &mut test, &mut watch);
    watch.bar.finish();
    watch.broken.map_or(Ok(()), Err)?;
    outcome?;
    let finished = finish(test.path())?;
    if run.json {
        return write_json(&json!({ "event": "done", "results": finished, "files": finished.files }));
    }
    write_text(&finished.table())?;
    if !run.engine.quiet {
        finished.files.iter().for_each(|file| note(&format!("wrote {}", words::path(file))));
    }
    Ok(())
}

/// The haystack and needles given, or those made for this run.
fn data_folder(args: &NeedleArgs) -> Result<PathBuf> {
    if let Some(folder) = &args.data {
        return Ok(folder.clone());
    }
    let folder = args.out.join("world");
    let longest = args.lengths.iter().copied().max().unwrap_or(1).max(60);
    let mut needles = WorldNeedles::default();
    needles.haystack.seed = args.world_seed;
    needles.haystack.duration_secs = Range::new(longest as f64, longest as f64);
    crate::commands::world::shown(args.run.engine.quiet, |observer| {
        Ok(make_needles(&needles, &Default::default(), &folder, observer)?)
    })?;
    Ok(folder)
}

struct CellWatch {
    json: bool,
    bar: EvalBar,
    right: usize,
    broken: Option<anyhow::Error>,
}

impl Observer for CellWatch {
    fn progress(&mut self, stage: Stage, done: usize, total: usize) {
        if stage == Stage::Frames {
            self.bar.frames("haystack", done, total);
        }
    }

    fn stop(&mut self) -> bool {
        self.broken.is_some()
    }
}

impl NeedleWatch for CellWatch {
    fn cell(&mut self, cell: &Cell, done: usize, total: usize) {
        self.right += usize::from(cell.forced);
        self.bar.sample(&Running { total, done, scored: done, correct: self.right, ..Default::default() });
        if self.json
            && let Err(error) =
                write_json(&json!({ "event": "cell", "cell": cell, "done": done, "total": total }))
        {
            self.broken.get_or_insert(error);
        }
    }
}
