//! Whether evidence points where the answer is: questions about one card each, of which is known when it shows.
//!
//! A question counts where it is answered rightly and some sampled frame shows its card; it is a hit where the best moment's
//! best frame shows it. Each way of reducing attention is measured on the same answers, and each head on its own.

use crate::extract::extract;
use crate::report::wilson;
use crate::{EvalError, Extractor, Result};
use longsight_engine::evidence::{
    EvidenceHeads, EvidenceSettings, FrameAttention, Reduction, best_frame, frame_scores,
};
use longsight_engine::{FrameSource, Frames, Observer, Probed, Request, RunSettings, Session};
use longsight_models::Lmm;
use longsight_video::VideoSource;
use longsight_world::QuestionRow;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A world's questions take less than this.
const MAX_QUESTIONS_BYTES: u64 = 256 << 20;

/// The questions of a plain world that are about one card, by video.
///
/// # Errors
/// A folder that `longsight world make` did not write.
pub fn questions(folder: &Path, videos: usize) -> Result<Vec<(PathBuf, Vec<QuestionRow>)>> {
    let path = folder.join("questions.jsonl");
    let broken = |message: String| EvalError::File { path: path.clone(), message };
    let text = longsight_text::read_text(&path, MAX_QUESTIONS_BYTES)
        .map_err(|e| EvalError::Setting(format!("{e}; make the folder with `longsight world make`")))?;
    let mut by_video: BTreeMap<PathBuf, Vec<QuestionRow>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let row: QuestionRow =
            serde_json::from_str(line).map_err(|e| broken(longsight_text::sentence(&e.to_string())))?;
        if row.question.times_secs.len() == 1 && row.question.candidates.is_empty() {
            by_video.entry(folder.join(&row.video)).or_default().push(row);
        }
    }
    Ok(by_video.into_iter().take(videos).collect())
}

/// A right answer about a card that some sampled frame shows.
#[derive(Debug, Clone)]
pub struct Located {
    /// Length of the video.
    pub duration_secs: f64,
    /// The sampled frames that show the card.
    shows: Vec<bool>,
    attention: FrameAttention,
    heads: Vec<(usize, usize)>,
}

impl Located {
    /// Whether the best frame under a reduction shows the card; heads are those of `chosen`.
    fn is_hit(&self, reduction: Reduction, chosen: &[(usize, usize)]) -> bool {
        let frames = self.shows.len();
        let rows = |all: &[f64]| -> Vec<f64> {
            let rows = self.heads.iter().zip(all.chunks_exact(frames.max(1)));
            rows.filter(|(head, _)| chosen.contains(head)).flat_map(|(_, row)| row.to_vec()).collect()
        };
        let attention = FrameAttention {
            answer: rows(&self.attention.answer),
            neutral: rows(&self.attention.neutral),
            frames,
        };
        let scores = frame_scores(&attention, reduction);
        best_frame(&scores, 0..frames).is_some_and(|best| scores[best] > 0.0 && self.shows[best])
    }
}

/// Counts of one run.
#[derive(Debug, Clone, Default)]
pub struct Localisation {
    /// Questions asked.
    pub asked: usize,
    /// Answered rightly.
    pub right: usize,
    /// Of these, those whose card no sampled frame shows: not counted further.
    pub unseen: usize,
    /// The others.
    pub located: Vec<Located>,
    /// Videos with any of these.
    pub videos: usize,
}

/// Asks the questions of each video, watching all heads.
///
/// # Errors
/// What planning and running say.
pub fn locate(
    model: &Arc<Lmm>,
    data: &[(PathBuf, Vec<QuestionRow>)],
    settings: &RunSettings,
    observer: &mut dyn Observer,
    mut done: impl FnMut(usize),
) -> Result<Localisation> {
    let evidence = EvidenceSettings { heads: EvidenceHeads::All, ..Default::default() };
    let settings = RunSettings { evidence: Some(evidence), ..settings.clone() };
    let mut all = Localisation::default();
    for (path, rows) in data {
        let questions: Vec<&str> = rows.iter().map(|row| row.question.question.as_str()).collect();
        let request = Request {
            video: Probed::read(&VideoSource::File(path.clone()), &settings)?,
            settings: settings.clone(),
            frames: Frames::Chosen,
            earlier: &[],
            questions: &questions,
        };
        let mut session = request.plan(model.info())?.start(model, FrameSource::Video, observer)?;
        let before = all.located.len();
        for row in rows {
            ask(&mut session, row, &mut all, observer)?;
            done(1);
        }
        all.videos += usize::from(all.located.len() > before);
    }
    Ok(all)
}

fn ask(
    session: &mut Session,
    row: &QuestionRow,
    all: &mut Localisation,
    observer: &mut dyn Observer,
) -> Result<()> {
    let question = &row.question;
    let answer = session.ask_anew(&question.question, observer)?;
    all.asked += 1;
    let said = extract(Extractor::Words, &answer.text, &question.answers);
    if question.answers.first() != Some(&said) {
        return Ok(());
    }
    all.right += 1;
    let (Some(evidence), Some(span)) = (answer.evidence, question.times_secs.first()) else { return Ok(()) };
    let frames = &session.plan().sample.frames;
    let shows = |time: f64| (span[0]..span[1]).contains(&time);
    let shows: Vec<bool> = frames.iter().map(|frame| shows(frame.time.secs())).collect();
    if !shows.contains(&true) {
        all.unseen += 1;
        return Ok(());
    }
    let duration_secs = session.plan().video.duration_secs;
    all.located.push(Located { duration_secs, shows, attention: evidence.attention, heads: evidence.heads });
    Ok(())
}

/// A share with its 95% interval (Wilson), in percent.
#[derive(Debug, Clone, Serialize)]
pub struct Share {
    /// Hits.
    pub hits: usize,
    /// Of so many.
    pub of: usize,
    /// Percent.
    pub percent: f64,
    /// Its interval.
    pub ci95: (f64, f64),
}

impl Share {
    fn new(hits: usize, of: usize) -> Self {
        let percent = 100.0 * hits as f64 / of.max(1) as f64;
        Self { hits, of, percent, ci95: wilson(hits, of) }
    }
}

/// Share of hits by length of the video.
#[derive(Debug, Clone, Serialize)]
pub struct HitRow {
    /// Lengths in minutes: from, to.
    pub minutes: (f64, f64),
    /// By reduction.
    pub hits: BTreeMap<String, Share>,
}

/// Ends of the classes of length, in minutes.
const MINUTES: [f64; 6] = [0.0, 2.0, 5.0, 15.0, 30.0, 61.0];

impl Localisation {
    /// Hits of the heads `chosen`, by length of the video and in all (the last row).
    pub fn table(&self, chosen: &[(usize, usize)]) -> Vec<HitRow> {
        let classes = MINUTES.windows(2).map(|pair| (pair[0], pair[1]));
        let rows = classes.chain([(0.0, f64::MAX)]).map(|minutes| {
            let inside = |l: &&Located| (minutes.0..minutes.1).contains(&(l.duration_secs / 60.0));
            let located: Vec<&Located> = self.located.iter().filter(inside).collect();
            let share = |reduction: Reduction| {
                let hits = located.iter().filter(|l| l.is_hit(reduction, chosen)).count();
                (reduction.name().to_owned(), Share::new(hits, located.len()))
            };
            HitRow { minutes, hits: Reduction::ALL.into_iter().map(share).collect() }
        });
        rows.filter(|row| row.hits.values().any(|share| share.of > 0)).collect()
    }

    /// Each head by its own share of hits, best first.
    pub fn by_head(&self) -> Vec<((usize, usize), Share)> {
        let heads = self.located.first().map(|l| l.heads.clone()).unwrap_or_default();
        let share = |head: (usize, usize)| {
            let hits = self.located.iter().filter(|l| l.is_hit(Reduction::default(), &[head])).count();
            (head, Share::new(hits, self.located.len()))
        };
        let mut all: Vec<_> = heads.into_iter().map(share).collect();
        all.sort_by(|a, b| b.1.hits.cmp(&a.1.hits).then(a.0.cmp(&b.0)));
        all
    }

    /// The best 1, 2, 3 ... heads together, with their share of hits; to choose from, on videos that nothing is reported of.
    pub fn best_heads(&self) -> Vec<(Vec<(usize, usize)>, Share)> {
        let order: Vec<(usize, usize)> = self.by_head().into_iter().map(|(head, _)| head).collect();
        let share = |count: usize| {
            let chosen = &order[..count];
            let hits = self.located.iter().filter(|l| l.is_hit(Reduction::default(), chosen)).count();
            (chosen.to_vec(), Share::new(hits, self.located.len()))
        };
        (1..=order.len().min(8)).map(share).collect()
    }
}
