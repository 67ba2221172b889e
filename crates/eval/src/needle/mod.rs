//! The needle test, after V-NIAH (LongVA, `vision_niah`): one still frame with a card, inserted into a haystack of F frames
//! (one a second, so F + 1 in all) at a given depth, and a question that only this frame answers.
//!
//! Unlike LongVA's script, frames take the model's own way (its resizing, pooling and newlines), the haystack is a real
//! video file, and besides the teacher-forced score there is a free-form answer.

mod answer;
mod cell;
mod grid;

pub use answer::is_right;
pub use cell::Cell;
pub use grid::{NeedleFinished, finish};

use crate::run::log::{LineLog, lines};
use crate::run::manifest::{hex, refuse_foreign};
use crate::run::{Environment, FolderLock, pin};
use crate::{EvalError, Result};
use longsight_engine::{EncodedFrames, FrameSource, Frames, Observer, Planned, Probed, Request, RunSettings};
use longsight_models::Lmm;
use longsight_text::sentence;
use longsight_video::{FrameBudget, PlannedFrame, SamplePlan, SampleSettings, VideoSource, sample};
use longsight_world::NeedleRow;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const CELLS: &str = "cells.jsonl";

/// What is run.
#[derive(Debug, Clone)]
pub struct NeedleSettings {
    /// Lengths of the haystack in frames.
    pub lengths: Vec<usize>,
    /// Depths in percent.
    pub depths_percent: Vec<u8>,
    /// Whether the model also answers in its own words.
    pub free_form: bool,
    /// The engine's settings; frames are the test's own.
    pub run: RunSettings,
}

impl NeedleSettings {
    /// Refuses a grid that is invalid.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str| Err(EvalError::Setting(what.to_owned()));
        match () {
            () if self.lengths.is_empty() || self.lengths.contains(&0) => {
                bad("--lengths: at least one frame each")
            }
            () if self.lengths.iter().any(|frames| *frames > 7200) => {
                bad("--lengths: at most 7200, two hours")
            }
            () if self.depths_percent.iter().any(|depth| *depth > 100) => bad("--depths: 0 to 100 percent"),
            () if self.depths_percent.is_empty() => bad("--depths: at least one"),
            () => Ok(()),
        }
    }
}

/// `needles.json` is smaller than this.
const MAX_NEEDLES_BYTES: u64 = 16 << 20;

/// A haystack and its needles, as `longsight world needles` writes them.
pub struct NeedleData {
    folder: PathBuf,
    haystack: Probed,
    needles: Vec<NeedleRow>,
    /// SHA-256 over the needles' pictures.
    pictures_digest: String,
}

impl NeedleData {
    /// Reads a folder: its longest video, and `needles.json`.
    pub fn open(folder: &Path, settings: &RunSettings) -> Result<Self> {
        let broken = |path: &Path, message: String| EvalError::File { path: path.into(), message };
        let path = folder.join("needles.json");
        let text = longsight_text::read_text(&path, MAX_NEEDLES_BYTES).map_err(|e| {
            EvalError::Setting(format!("{e}; make the folder with `longsight world needles`"))
        })?;
        let needles: Vec<NeedleRow> = serde_json::from_str(&text)
            .map_err(|e| broken(&path, format!("not a list of needles ({})", sentence(&e.to_string()))))?;
        if needles.is_empty() {
            return Err(broken(&path, "holds no needle".into()));
        }
        let pictures_digest = pictures_digest(folder, &needles)?;
        let videos = folder.join("videos");
        let files = std::fs::read_dir(&videos).map_err(|e| broken(&videos, e.to_string()))?;
        let mut longest: Option<Probed> = None;
        let mut files: Vec<PathBuf> = files.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        for file in files.into_iter().filter(|file| file.is_file()) {
            let probed = Probed::read(&VideoSource::File(file), settings)?;
            if longest.as_ref().is_none_or(|best| best.video.duration_secs < probed.video.duration_secs) {
                longest = Some(probed);
            }
        }
        let haystack = longest.ok_or_else(|| broken(&videos, "holds no video".into()))?;
        Ok(Self { folder: folder.into(), haystack, needles, pictures_digest })
    }

    /// The questions and answers, and the haystack's length, for a manifest.
    pub fn pinned(&self) -> Value {
        let frames = self.haystack.video.total_frames;
        json!({ "needles": self.needles, "pictures_digest": self.pictures_digest, "haystack_frames": frames })
    }

    /// Frames of the haystack at one a second.
    fn indices(&self, frames: usize) -> Result<Arc<[usize]>> {
        let every = (self.haystack.video.average_fps.round() as usize).max(1);
        let there = self.haystack.video.total_frames.div_ceil(every);
        if frames > there {
            return Err(EvalError::Setting(format!(
                "--lengths {frames}: the haystack {} holds {there} seconds; make a longer one",
                self.haystack.video.source.name()
            )));
        }
        Ok((0..frames).map(|k| k * every).collect())
    }

    /// The needles as a folder of images, one frame each.
    fn images(&self, settings: &RunSettings) -> Result<Probed> {
        let source = VideoSource::Images(self.folder.join("needles"));
        Ok(Probed::read(&source, settings)?)
    }
}

/// Checks that the pictures are those of `needles.json`, by name and in its order, since they are read as a folder of
/// images; returns the SHA-256 over their bytes.
fn pictures_digest(folder: &Path, needles: &[NeedleRow]) -> Result<String> {
    let broken = |path: &Path, message: String| EvalError::File { path: path.into(), message };
    let mut hash = Sha256::new();
    for (i, needle) in needles.iter().enumerate() {
        let path = folder.join("needles").join(format!("{i}.png"));
        if folder.join(&needle.image) != path {
            let message =
                format!("needles.json names {} where {i}.png is expected; make it anew", needle.image);
            return Err(broken(folder, message));
        }
        hash.update(std::fs::read(&path).map_err(|e| broken(&path, format!("{e}; make the folder anew")))?);
    }
    let files = std::fs::read_dir(folder.join("needles")).map_err(|e| broken(folder, e.to_string()))?;
    if files.count() != needles.len() {
        let message =
            format!("holds other files than the {} pictures of needles.json; remove them", needles.len());
        return Err(broken(&folder.join("needles"), message));
    }
    Ok(hex(&hash.finalize()))
}

/// Watches a needle test.
pub trait NeedleWatch: Observer {
    /// A cell is in the log.
    fn cell(&mut self, _cell: &Cell, _done: usize, _total: usize) {}
}

/// A needle test's folder, locked while this lives.
pub struct NeedleFolder {
    path: PathBuf,
    cells: LineLog,
    done: HashSet<(usize, u8, usize)>,
    _lock: FolderLock,
}

impl NeedleFolder {
    /// Begins a test in a folder, or goes on with one of the same settings.
    pub fn open(path: &Path, pinned: &Value, environment: &Environment) -> Result<Self> {
        refuse_foreign(path, CELLS)?;
        let lock = FolderLock::take(path)?;
        pin(path, CELLS, pinned, environment)?;
        let file = path.join(CELLS);
        let cells = LineLog::open(&file)?;
        let done = lines::<Cell>(&file)?.map(|cell| Ok(cell?.key())).collect::<Result<_>>()?;
        Ok(Self { path: path.into(), cells, done, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Runs every cell that `folder` does not hold yet. Frames are encoded once for all lengths, depths and needles.
///
/// # Errors
/// A haystack too short, a video or image that cannot be read, settings that are invalid.
pub fn run(
    model: &Arc<Lmm>,
    data: &NeedleData,
    settings: &NeedleSettings,
    folder: &mut NeedleFolder,
    watch: &mut dyn NeedleWatch,
) -> Result<()> {
    settings.check()?;
    let longest = settings.lengths.iter().copied().max().unwrap_or(1);
    let mut test = Test { model, data, settings, haystack: None, needles: None };
    let total = settings.lengths.len() * settings.depths_percent.len() * data.needles.len();
    for frames in &settings.lengths {
        for depth in &settings.depths_percent {
            for needle in 0..data.needles.len() {
                if folder.done.contains(&(*frames, *depth, needle)) {
                    continue;
                }
                test.encode(longest, watch)?;
                let cell = test.cell(*frames, *depth, needle, watch)?;
                folder.cells.append(&cell)?;
                folder.done.insert(cell.key());
                watch.cell(&cell, folder.done.len(), total);
            }
        }
    }
    Ok(())
}

struct Test<'a> {
    model: &'a Arc<Lmm>,
    data: &'a NeedleData,
    settings: &'a NeedleSettings,
    haystack: Option<EncodedFrames>,
    needles: Option<EncodedFrames>,
}

impl Test<'_> {
    /// Encodes haystack and needles, once.
    fn encode(&mut self, longest: usize, watch: &mut dyn NeedleWatch) -> Result<()> {
        if self.haystack.is_some() {
            return Ok(());
        }
        let run = &self.settings.run;
        let strides = self.strides(longest + 1)?;
        let mut encode = |video: &Probed, indices: Arc<[usize]>| -> Result<EncodedFrames> {
            let (video, settings) = (video.clone(), with_frames(run, indices));
            let request = Request { video, settings, frames: Frames::Chosen, earlier: &[], questions: &[] };
            let Planned { plan, settings } = request.plan(self.model.info())?;
            Ok(EncodedFrames::encode(self.model, &plan, &strides, &settings, watch)?)
        };
        let haystack = encode(&self.data.haystack, self.data.indices(longest)?)?;
        let images = self.data.images(run)?;
        let needles = encode(&images, (0..self.data.needles.len()).collect())?;
        (self.haystack, self.needles) = (Some(haystack), Some(needles));
        Ok(())
    }

    fn strides(&self, frames: usize) -> Result<Vec<usize>> {
        let spec = self.settings.run.pool_spec(self.model.info());
        let pool = self.model.config().vision().and_then(|vision| vision.pool_plan(frames, spec, false));
        let pool = pool.map_err(longsight_engine::EngineError::from)?;
        let strides: BTreeSet<usize> = pool.units.iter().map(|frame| frame.stride).collect();
        Ok(strides.into_iter().collect())
    }

    fn cell(&self, frames: usize, depth: u8, needle: usize, watch: &mut dyn NeedleWatch) -> Result<Cell> {
        let started = Instant::now();
        let (Some(haystack), Some(needles)) = (&self.haystack, &self.needles) else {
            return Err(EvalError::Setting("the haystack is not encoded".into()));
        };
        let row = &self.data.needles[needle];
        let question = row.question.strip_prefix('\n').unwrap_or(&row.question); // the template writes it
        let at = frames * usize::from(depth) / 100;
        let encoded = haystack.first(frames).with_inserted(at, needles, needle);
        let planned = self.plan(frames, at, question)?;
        let mut session = planned.start(self.model, FrameSource::Encoded(&encoded), watch)?;
        let forced = session.score_answer(question, &row.answer, watch)?;
        let answer = match self.settings.free_form {
            true => Some(session.ask_anew(question, watch)?),
            false => None,
        };
        let plan = session.plan();
        Ok(Cell {
            frames,
            depth_percent: depth,
            needle,
            at,
            answer: row.answer.clone(),
            forced: forced.is_predicted(),
            logprob: forced.logprobs.iter().sum(),
            free_form_right: answer.as_ref().map(|answer| is_right(&answer.text, row)),
            response: answer.as_ref().map(|answer| answer.text.clone()),
            visual_tokens: plan.pool.visual_tokens(),
            scale: plan.rope.scale,
            peak_bytes: answer.and_then(|answer| answer.receipt.peak_bytes),
            secs: started.elapsed().as_secs_f64(),
        })
    }

    /// The plan of `frames` haystack frames with a needle before frame `at`.
    fn plan(&self, frames: usize, at: usize, question: &str) -> Result<Planned> {
        let settings = with_frames(&self.settings.run, self.data.indices(frames)?);
        let video = self.data.haystack.clone();
        let chosen =
            sample(&video.video, &settings.video.sample).map_err(longsight_engine::EngineError::from)?;
        let frames = Frames::Given(insert_frame(chosen, at));
        let request = Request { video, settings, frames, earlier: &[], questions: &[question] };
        Ok(request.plan(self.model.info())?)
    }
}

/// The needle takes the time and index of the frame that it stands before (or behind, at the end).
fn insert_frame(mut plan: SamplePlan, at: usize) -> SamplePlan {
    if let Some(neighbour) = plan.frames.get(at).or(plan.frames.last()).copied() {
        plan.frames.insert(at.min(plan.frames.len()), neighbour);
    }
    let numbered = plan.frames.into_iter().enumerate();
    plan.frames = numbered.map(|(ordinal, frame)| PlannedFrame { ordinal, ..frame }).collect();
    plan
}

fn with_frames(run: &RunSettings, indices: Arc<[usize]>) -> RunSettings {
    let mut run = run.clone();
    run.video.sample = SampleSettings { budget: FrameBudget::Indices(indices), ..Default::default() };
    run
}
