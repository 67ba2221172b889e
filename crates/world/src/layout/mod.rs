//! Folders: which video goes where, what is asked about it, and the files that say so.

mod longvideobench;
mod mlvu;
mod plain;
mod table;
mod videomme;

use crate::encode::Codec;
use crate::names::named;
use crate::questions::{Form, Question, QuestionKind, QuestionPlan, questions};
use crate::random::Random;
use crate::script::VideoScript;
use crate::settings::{MAX_DURATION_SECS, Range, WorldSettings};
use crate::{Result, Stage, WorldError};
use std::path::Path;

pub use plain::QuestionRow;

/// The form of the folder that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Videos, ground truth and questions of all kinds, in our own form.
    Plain,
    /// Video-MME's.
    VideoMme,
    /// MLVU's development set, as its authors publish it.
    Mlvu,
    /// MLVU's development set, as lmms-eval reads it.
    MlvuLmms,
    /// LongVideoBench's validation split.
    LongVideoBench,
}

named!(Layout, "layout", {
    Plain => "plain", VideoMme => "videomme", Mlvu => "mlvu", MlvuLmms => "mlvu-lmms", LongVideoBench => "longvideobench",
});

/// One group, for benchmarks that have none.
const ANY_LENGTH_SECS: [Range<f64>; 1] = [Range::new(1.0, MAX_DURATION_SECS)];

/// A video to be made, and what is asked about it.
pub(crate) struct Job {
    /// Its place in the world, from 0.
    pub(crate) index: usize,
    /// Unique: the file's stem.
    pub(crate) name: String,
    /// The file, from the folder's top, with `/`.
    pub(crate) video: String,
    pub(crate) script: VideoScript,
    pub(crate) codec: Codec,
    /// Which of the layout's length groups it is in.
    pub(crate) group: usize,
    pub(crate) questions: Vec<Question>,
}

impl Layout {
    /// Where its videos lie, and how they are called.
    fn place(self, index: usize, seed: u64) -> (String, String) {
        let (name, folder) = match self {
            Self::Plain => (format!("{index:05}"), "videos".to_owned()),
            Self::VideoMme => (invented_id(seed), "data".into()),
            Self::LongVideoBench => (invented_id(seed), "videos".into()),
            Self::Mlvu | Self::MlvuLmms => mlvu::place(index),
        };
        let video = format!("{folder}/{name}.mp4");
        (name, video)
    }

    /// The lengths, in seconds, by which the benchmark sorts its videos.
    fn length_groups(self) -> &'static [Range<f64>] {
        match self {
            Self::VideoMme => &videomme::LENGTHS_SECS,
            Self::LongVideoBench => &longvideobench::LENGTHS_SECS,
            Self::Plain | Self::Mlvu | Self::MlvuLmms => &ANY_LENGTH_SECS,
        }
    }

    fn questions_per_video(self, settings: &WorldSettings) -> Result<u32> {
        match (self, settings.questions_per_video) {
            (Self::VideoMme, 0 | 3) => Ok(3),
            (Self::VideoMme, other) => Err(WorldError::setting(format!(
                "questions_per_video: {other}, Video-MME has 3 a video; leave it out"
            ))),
            (Self::Plain, 0) => Ok(12),
            (_, 0) => Ok(3),
            (_, given) => Ok(given),
        }
    }

    fn kinds(self, settings: &WorldSettings, index: usize) -> Result<Vec<QuestionKind>> {
        let open_ended_too = self == Self::Plain;
        let usual = match (open_ended_too, settings.stage) {
            (true, Stage::One) => QuestionKind::STAGE_ONE,
            (true, Stage::Two) => QuestionKind::ALL,
            (false, _) => QuestionKind::MULTIPLE_CHOICE,
        };
        let mut kinds = if settings.kinds.is_empty() { usual } else { &settings.kinds }.to_vec();
        kinds.retain(|&kind| open_ended_too || kind != QuestionKind::Describe);
        if matches!(self, Self::Mlvu | Self::MlvuLmms) {
            kinds = mlvu::kinds(&kinds, index);
        }
        if kinds.is_empty() {
            return Err(WorldError::setting(
                "kinds: describe is open-ended, and benchmarks ask with candidates only",
            ));
        }
        // Another kind first for every video, so that few questions a video still cover them all.
        let count = kinds.len();
        kinds.rotate_left((index * 3) % count);
        Ok(kinds)
    }
}

/// Plans all videos and their questions.
pub(crate) fn plan(settings: &WorldSettings) -> Result<Vec<Job>> {
    let layout = settings.layout;
    let count = layout.questions_per_video(settings)?;
    let groups = layout.length_groups();
    let mut choices = 0;
    let job = |index: usize| {
        let group = index % groups.len();
        let duration_secs = group_lengths(settings.duration_secs, groups, group);
        let seed = Random::new(settings.seed, "world", index as u64).bits();
        let script = VideoScript::new(seed, &WorldSettings { duration_secs, ..settings.clone() })?;
        let plan = QuestionPlan {
            seed: settings.seed,
            count,
            kinds: &layout.kinds(settings, index)?,
            form: if layout == Layout::Plain { Form::Mixed } else { Form::MultipleChoice },
            asked_before: choices,
        };
        let questions = questions(&script, &plan);
        choices += questions.iter().filter(|question| question.gold.is_some()).count() as u64;
        let codec = Random::new(seed, "codec", 0).pick(&settings.codecs).copied().unwrap_or(Codec::H264);
        let (name, video) = layout.place(index, seed);
        Ok(Job { index, name, video, script, codec, group, questions })
    };
    (0..settings.videos as usize).map(job).collect()
}

/// The group's own lengths where the settings allow some of every group; else the range is shared out, short to long, on a
/// logarithmic scale.
fn group_lengths(wanted: Range<f64>, groups: &[Range<f64>], group: usize) -> Range<f64> {
    let within = |own: &Range<f64>| Range::new(own.min.max(wanted.min), own.max.min(wanted.max));
    if groups.iter().map(within).all(|lengths| lengths.min <= lengths.max) {
        return within(&groups[group]);
    }
    let border = |part: usize| {
        let share = part as f64 / groups.len() as f64;
        (wanted.min * (wanted.max / wanted.min).powf(share)).clamp(wanted.min, wanted.max)
    };
    Range::new(border(group), border(group + 1))
}

/// Writes the layout's annotation files and returns how many questions they hold.
pub(crate) fn write_annotations(settings: &WorldSettings, jobs: &[Job], out: &Path) -> Result<usize> {
    match settings.layout {
        Layout::Plain => plain::write(jobs, out)?,
        Layout::VideoMme => videomme::write(jobs, out)?,
        Layout::Mlvu => mlvu::write(jobs, out)?,
        Layout::MlvuLmms => mlvu::write_lmms(jobs, out)?,
        Layout::LongVideoBench => longvideobench::write(jobs, out)?,
    }
    Ok(jobs.iter().map(|job| job.questions.len()).sum())
}

/// Eleven letters and digits, in the manner of video platforms.
fn invented_id(seed: u64) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = Random::new(seed, "id", 0);
    (0..11).map(|_| char::from(random.of(*LETTERS))).collect()
}

/// A, B, C, ...
pub(crate) fn letter(index: usize) -> char {
    char::from(b'A' + (index % 26) as u8)
}

/// "red star" -> "Red star".
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
