//! The needle test's parts: haystack videos without cards, and still frames with one card, in the form of V-NIAH (LongVA).

use crate::card::{Card, Colour, Shape, Stage};
use crate::draw::Picture;
use crate::footage::Footage;
use crate::layout::{self, Layout, letter};
use crate::make::{Progress, Summary, make_videos, open_folder, resolve};
use crate::questions::CANDIDATES;
use crate::random::Random;
use crate::render::Renderer;
use crate::script::{ShownCard, VideoScript};
use crate::settings::{Range, WorldSettings};
use crate::{Result, WorldError, files};
use longsight_video::Tools;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Haystacks and needles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeedleSettings {
    /// How many needles; of every five, three have candidates and two are answered shortly.
    pub needles: u32,
    /// The haystack videos. How many cards, for how long, layout and questions are not used; size, tilt and stage of cards
    /// hold for the needles.
    pub haystack: WorldSettings,
}

impl Default for NeedleSettings {
    fn default() -> Self {
        let haystack =
            WorldSettings { videos: 1, duration_secs: Range::new(600.0, 600.0), ..WorldSettings::default() };
        Self { needles: 5, haystack }
    }
}

/// A line of `needles.json`, with V-NIAH's keys and two more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeedleRow {
    /// The still frame, from the folder's top.
    pub image: String,
    /// Begins with a line feed; holds the candidates, if any, and the closing sentence.
    pub question: String,
    /// A letter, or one word.
    pub answer: String,
    /// Four, or none.
    pub candidates: Vec<String>,
    /// The card in the frame; its times mean nothing here.
    pub card: ShownCard,
}

/// A needle: the frame that shows it, and what is asked.
#[derive(Clone, Debug)]
pub struct Needle {
    /// The still frame.
    pub picture: Picture,
    /// What is asked about it.
    pub row: NeedleRow,
}

/// Draws the needles. They follow from seed, size, stage and card settings; ffmpeg is not needed.
///
/// # Errors
/// Settings that cannot be meant.
pub fn needles(settings: &NeedleSettings) -> Result<Vec<Needle>> {
    if !(1..=1000).contains(&settings.needles) {
        return Err(WorldError::setting(format!("needles: {}, must be 1 to 1,000", settings.needles)));
    }
    (0..settings.needles as usize).map(|index| needle(index, settings)).collect()
}

fn needle(index: usize, settings: &NeedleSettings) -> Result<Needle> {
    let still = WorldSettings {
        duration_secs: Range::new(2.0, 2.0),
        card_secs: Range::new(1.0, 1.0),
        gap_secs: 0.0,
        cards: Range::new(1, 1),
        footage: Footage::DRAWN.to_vec(),
        ..settings.haystack.clone()
    };
    let mut random = Random::new(settings.haystack.seed, "needle", index as u64);
    let script = VideoScript::new(random.bits(), &still)?;
    let missing = || WorldError::setting("card_size: no card fits the frame");
    let card = script.cards.first().cloned().ok_or_else(missing)?;
    let tools = Tools::default();
    let picture = Renderer::new(&script, &tools).frame(card.first_frame)?.clone();
    let row = ask(index, card, &mut random, still.stage);
    Ok(Needle { picture, row })
}

/// Three of five with candidates; what is asked about goes round the card's four properties.
fn ask(index: usize, card: ShownCard, random: &mut Random, stage: Stage) -> NeedleRow {
    let (question, right, mut candidates) = property(index, &card.card, stage);
    let image = format!("needles/{index}.png");
    if index % 5 > 2 {
        let question = format!("\n{question}\nAnswer the question using a single word or phrase.");
        return NeedleRow { image, question, answer: right, candidates: Vec::new(), card };
    }
    candidates.retain(|other| *other != right);
    random.shuffle(&mut candidates);
    candidates.truncate(CANDIDATES - 1);
    let gold = random.below(CANDIDATES);
    candidates.insert(gold, right);
    let options = candidates.iter().enumerate();
    let options: String = options.map(|(place, option)| format!("\n{}. {option}", letter(place))).collect();
    let question =
        format!("\n{question}{options}\nAnswer with the option's letter from the given choices directly.");
    NeedleRow { image, question, answer: letter(gold).into(), candidates, card }
}

/// A question on one property of the only card, its answer, and all values of the property.
fn property(index: usize, card: &Card, stage: Stage) -> (&'static str, String, Vec<String>) {
    fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> Vec<String> {
        all.into_iter().map(|value| value.to_string()).collect()
    }
    match index % 4 {
        0 => ("What shape is on the card in this video?", card.shape.to_string(), texts(Shape::ALL)),
        1 => (
            "What colour is the plate of the card in this video?",
            card.plate.to_string(),
            texts(Colour::ALL),
        ),
        2 => ("What number is on the card in this video?", card.number.to_string(), texts(stage.numbers())),
        _ => (
            "What colour is the shape on the card in this video?",
            card.shape_colour.to_string(),
            texts(Colour::ALL),
        ),
    }
}

/// Writes haystack videos and needles into the folder `out`: `videos/`, `truth/`, `needles/N.png`, `needles.json`,
/// `manifest.json`. Goes on after a stop, as [`crate::make()`] does.
///
/// # Errors
/// As [`crate::make()`].
pub fn make_needles(
    settings: &NeedleSettings,
    tools: &Tools,
    out: &Path,
    observer: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    let none = Range::new(0, 0);
    let haystack = WorldSettings { cards: none, layout: Layout::Plain, ..settings.haystack.clone() };
    let haystack = resolve(&haystack, tools)?;
    let settings = NeedleSettings { needles: settings.needles, haystack };
    let needles = needles(&settings)?;
    let jobs = layout::plan(&settings.haystack)?;
    open_folder(out, &settings)?;
    files::create_folder(&out.join("needles"))?;
    for needle in &needles {
        needle.picture.write_png(&out.join(&needle.row.image))?;
    }
    let rows: Vec<&NeedleRow> = needles.iter().map(|needle| &needle.row).collect();
    files::write_json(&out.join("needles.json"), &rows)?;
    let summary = make_videos(&jobs, settings.haystack.parallel_videos, tools, out, observer)?;
    Ok(Summary { questions: rows.len(), ..summary })
}
