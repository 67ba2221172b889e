//! Many videos into a folder.

use crate::encode::{Abilities, Codec, encode};
use crate::files;
use crate::footage::Footage;
use crate::layout::{self, Job};
use crate::settings::WorldSettings;
use crate::truth::Truth;
use crate::{Result, WorldError};
use longsight_video::Tools;
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// What is going on.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Before all else.
    Planned {
        /// How many videos there will be.
        videos: usize,
        /// Frames of all videos.
        frames: u64,
    },
    /// A video was begun.
    Started {
        /// Its place, from 0.
        video: usize,
        /// Its file, from the folder's top.
        name: String,
    },
    /// A video grows.
    Frames {
        /// Its place, from 0.
        video: usize,
        /// Frames written.
        done: u64,
    },
    /// A video is there.
    Done {
        /// Its place, from 0.
        video: usize,
        /// It was there before, from an earlier run with the same settings.
        kept: bool,
    },
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Videos made now.
    pub videos_made: usize,
    /// Videos that were there from an earlier run.
    pub videos_kept: usize,
    /// Frames of all videos.
    pub frames: u64,
    /// Length of all videos in seconds.
    pub duration_secs: f64,
    /// Questions, or needles.
    pub questions: usize,
}

/// `manifest.json`: the settings, filled in, and who wrote them.
#[derive(Serialize)]
struct Manifest<'a, S> {
    generator: &'static str,
    settings: &'a S,
}

/// Writes a world into the folder `out`: videos, `truth/NAME.json`, `manifest.json` and the layout's annotation files.
///
/// A run that was stopped goes on where it was when it is started again with the same settings.
///
/// # Errors
/// Settings that cannot be meant; a folder that holds something else; a codec or a source that ffmpeg lacks; failing
/// writes.
pub fn make(
    settings: &WorldSettings,
    tools: &Tools,
    out: &Path,
    observer: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    let settings = resolve(settings, tools)?;
    let jobs = layout::plan(&settings)?;
    open_folder(out, &settings)?;
    let mut summary = make_videos(&jobs, settings.parallel_videos, tools, out, observer)?;
    summary.questions = layout::write_annotations(&settings, &jobs, out)?;
    Ok(summary)
}

/// Checks the settings and fills in what is left to the installed ffmpeg.
pub(crate) fn resolve(settings: &WorldSettings, tools: &Tools) -> Result<WorldSettings> {
    settings.check()?;
    let abilities = Abilities::of(tools)?;
    let mut resolved = settings.clone();
    resolved.codecs =
        available(&settings.codecs, Codec::ALL, "codec", |codec| abilities.has(codec.encoder()))?;
    resolved.footage = available(&settings.footage, Footage::ALL, "footage", |footage| {
        !footage.is_generated() || abilities.has(footage.name())
    })?;
    Ok(resolved)
}

/// What was named, or else what there is. Naming something that is not there is an error.
fn available<T: Copy + std::fmt::Display>(
    named: &[T],
    all: &[T],
    what: &str,
    has: impl Fn(T) -> bool,
) -> Result<Vec<T>> {
    if let Some(missing) = named.iter().find(|&&item| !has(item)) {
        return Err(WorldError::setting(format!(
            "{what} {missing}: the installed ffmpeg cannot make it; leave it out, or install a fuller ffmpeg"
        )));
    }
    let found: Vec<T> =
        if named.is_empty() { all } else { named }.iter().copied().filter(|&item| has(item)).collect();
    if found.is_empty() {
        return Err(WorldError::setting(format!(
            "{what}: the installed ffmpeg can make none; install a fuller one"
        )));
    }
    Ok(found)
}

/// Makes the folder, or goes on with one that an earlier run with the same settings left.
pub(crate) fn open_folder(out: &Path, settings: &impl Serialize) -> Result<()> {
    let generator = concat!("longsight-world ", env!("CARGO_PKG_VERSION"));
    let path = out.join("manifest.json");
    let manifest = files::json_text(&path, &Manifest { generator, settings })?;
    files::create_folder(out)?;
    if path.is_file() {
        let there = std::fs::read(&path).map_err(|error| WorldError::file(&path, error))?;
        if there == manifest.as_bytes() {
            return Ok(());
        }
        return Err(WorldError::file(out, "was made with other settings; choose another folder"));
    }
    let mut entries = std::fs::read_dir(out).map_err(|error| WorldError::file(out, error))?;
    if entries.next().is_some() {
        return Err(WorldError::file(out, "the folder is not empty; choose another one"));
    }
    files::write(&path, manifest)
}

/// Makes the videos that are not there yet, some at a time.
pub(crate) fn make_videos(
    jobs: &[Job],
    parallel_videos: usize,
    tools: &Tools,
    out: &Path,
    observer: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    for folder in jobs.iter().filter_map(|job| out.join(&job.video).parent().map(Path::to_owned)) {
        files::create_folder(&folder)?;
    }
    files::create_folder(&out.join("truth"))?;
    let mut summary = Summary {
        frames: jobs.iter().map(|job| job.script.frames).sum(),
        duration_secs: jobs.iter().map(|job| job.script.duration_secs).sum(),
        ..Summary::default()
    };
    observer(Progress::Planned { videos: jobs.len(), frames: summary.frames });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if parallel_videos > 0 { parallel_videos } else { cores.div_ceil(2) }.min(jobs.len());
    let queue = &Queue { jobs, next: AtomicUsize::new(0), stop: AtomicBool::new(false) };
    let (sender, events) = channel();
    std::thread::scope(|scope| {
        let start = |sender: Sender<Progress>| scope.spawn(move || queue.work(tools, out, &sender));
        let threads: Vec<_> = (0..threads).map(|_| start(sender.clone())).collect();
        drop(sender);
        for event in events {
            match event {
                Progress::Done { kept: true, .. } => summary.videos_kept += 1,
                Progress::Done { kept: false, .. } => summary.videos_made += 1,
                _ => (),
            }
            observer(event);
        }
        for thread in threads {
            thread.join().unwrap_or_else(|_| Err(WorldError::setting("a thread that made videos died")))?;
        }
        Ok(summary)
    })
}

/// Videos to be made, by threads that take one after the other.
struct Queue<'a> {
    jobs: &'a [Job],
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Queue<'_> {
    /// Until there is none left, or one failed anywhere.
    fn work(&self, tools: &Tools, out: &Path, events: &Sender<Progress>) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed)
            && let Some(job) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            make_video(job, tools, out, events).inspect_err(|_| self.stop.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }
}

/// A closed channel means that nobody listens any more: no reason to stop.
fn make_video(job: &Job, tools: &Tools, out: &Path, events: &Sender<Progress>) -> Result<()> {
    let (video, script) = (job.index, &job.script);
    let truth = Truth { video: job.video.clone(), codec: job.codec, script: script.clone() };
    files::write_json(&out.join("truth").join(format!("{}.json", job.name)), &truth)?;
    let path = out.join(&job.video);
    let kept = path.is_file();
    if !kept {
        let _ = events.send(Progress::Started { video, name: job.video.clone() });
        let mut report = |done| {
            let _ = events.send(Progress::Frames { video, done });
        };
        encode(script, job.codec, tools, &path, &mut report)?;
    }
    let _ = events.send(Progress::Done { video, kept });
    Ok(())
}
