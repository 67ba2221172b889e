//! What is asked about a video, and what is right. Pure: a script in, questions out.

mod kinds;
mod refer;
mod several;
mod single;

use crate::names::named;
use crate::random::Random;
use crate::script::VideoScript;
use kinds::Asker;
pub(crate) use refer::{article, coloured_shape};
use serde::{Deserialize, Serialize};

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuestionKind {
    /// Shape or colour of a card that is named by something else.
    Which,
    /// The number of a card.
    WhatNumber,
    /// Whether a card is there; as multiple choice, which of four cards is.
    IsThere,
    /// Which of some cards came first.
    First,
    /// What comes right after a card.
    Next,
    /// How many cards there are of a kind.
    HowMany,
    /// In which third of the video a card shows.
    When,
    /// All cards in order; open-ended only.
    Describe,
}

named!(QuestionKind, "kind of question", {
    Which => "which", WhatNumber => "what-number", IsThere => "is-there", First => "first", Next => "next",
    HowMany => "how-many", When => "when", Describe => "describe",
});

impl QuestionKind {
    /// Asked in stage 1; the rest comes in stage 2.
    pub const STAGE_ONE: &'static [Self] =
        &[Self::Which, Self::WhatNumber, Self::IsThere, Self::First, Self::Next];
    /// All that can be asked with candidates.
    pub const MULTIPLE_CHOICE: &'static [Self] =
        &[Self::Which, Self::WhatNumber, Self::IsThere, Self::First, Self::Next, Self::HowMany, Self::When];
}

/// With or without candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A short answer in own words.
    OpenEnded,
    /// One of four candidates.
    MultipleChoice,
    /// Both, in turn.
    Mixed,
}

named!(Form, "form", { OpenEnded => "open-ended", MultipleChoice => "multiple-choice", Mixed => "mixed" });

/// A question with all that is right about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What it is about.
    pub kind: QuestionKind,
    /// The question alone, without candidates.
    pub question: String,
    /// Right answers, in lower case; the first is the usual one. For multiple choice, the right candidate.
    pub answers: Vec<String>,
    /// Four, or none when open-ended.
    pub candidates: Vec<String>,
    /// Which candidate is right, from 0.
    pub gold: Option<usize>,
    /// The cards that one must have seen, by their place in the script. Empty where the answer is that there is none.
    pub cards: Vec<usize>,
    /// When they show: from and to, in seconds.
    pub times_secs: Vec<[f64; 2]>,
}

/// What to ask about one video.
#[derive(Clone, Debug)]
pub struct QuestionPlan<'a> {
    /// Wording, cards and candidates follow from it.
    pub seed: u64,
    /// How many. There are fewer where the cards give no more different ones.
    pub count: u32,
    /// Asked in turn.
    pub kinds: &'a [QuestionKind],
    /// With candidates or without.
    pub form: Form,
    /// Multiple-choice questions asked before this video: balances the right letter over a whole world.
    pub asked_before: u64,
}

/// Number of candidates of a multiple-choice question.
pub const CANDIDATES: usize = 4;

/// Asks about a video.
pub fn questions(script: &VideoScript, plan: &QuestionPlan) -> Vec<Question> {
    let mut asker = Asker::new(script, Random::new(script.seed ^ plan.seed.rotate_left(17), "questions", 0));
    let mut asked: Vec<Question> = Vec::new();
    let mut choices = plan.asked_before;
    for turn in 0..u64::from(plan.count) {
        let fresh = (0..TRIES).find_map(|attempt| {
            // A kind that cannot be asked, or not anew, gives way to the next one.
            let at = turn + attempt / (TRIES / plan.kinds.len().max(1) as u64).max(1);
            let kind = *plan.kinds.get((at % plan.kinds.len().max(1) as u64) as usize)?;
            let question = ask(&mut asker, kind, plan, turn, choices)?;
            (!asked.iter().any(|other| same(other, &question))).then_some(question)
        });
        let Some(question) = fresh else { break };
        choices += u64::from(question.gold.is_some());
        asked.push(question);
    }
    asked
}

/// Draws of a question before giving up.
const TRIES: u64 = 64;

/// Whether two questions are one but for the order of candidates. All descriptions are one.
fn same(a: &Question, b: &Question) -> bool {
    let one_text = a.question == b.question || a.kind == QuestionKind::Describe;
    one_text && a.kind == b.kind && a.answers == b.answers && a.gold.is_some() == b.gold.is_some()
}

fn ask(
    asker: &mut Asker,
    kind: QuestionKind,
    plan: &QuestionPlan,
    turn: u64,
    choices: u64,
) -> Option<Question> {
    let kinds = plan.kinds.len().max(1) as u64;
    let wants_choice = match plan.form {
        Form::OpenEnded => false,
        Form::MultipleChoice => true,
        // So that over two rounds every kind comes in both forms: an odd number of kinds turns by itself.
        Form::Mixed => {
            let round = if kinds.is_multiple_of(2) { turn / kinds } else { 0 };
            (turn + round) % 2 == 1 && kind != QuestionKind::Describe
        }
    };
    let draft = asker.draft(kind, wants_choice)?;
    let times_secs = draft.cards.iter().map(|&card| asker.times_secs(card)).collect();
    let mut question = Question {
        kind,
        question: draft.text,
        answers: draft.answers,
        candidates: Vec::new(),
        gold: None,
        cards: draft.cards,
        times_secs,
    };
    if wants_choice {
        let gold = gold_position(plan.seed, choices);
        question.candidates = arrange(&mut question.answers, draft.others, gold)?;
        question.gold = Some(gold);
    }
    Some(question)
}

/// The right candidate among three others, first come first served; None where there are too few.
fn arrange(answers: &mut Vec<String>, others: Vec<String>, gold: usize) -> Option<Vec<String>> {
    let right = answers.first()?.clone();
    let mut candidates: Vec<String> = Vec::new();
    for other in others {
        if candidates.len() < CANDIDATES - 1 && !answers.contains(&other) && !candidates.contains(&other) {
            candidates.push(other);
        }
    }
    if candidates.len() < CANDIDATES - 1 {
        return None;
    }
    candidates.insert(gold, right);
    answers.truncate(1);
    Some(candidates)
}

/// Every four questions in a row have their right candidates at four different places.
fn gold_position(seed: u64, index: u64) -> usize {
    let mut places: [usize; CANDIDATES] = std::array::from_fn(|i| i);
    Random::new(seed, "gold", index / CANDIDATES as u64).shuffle(&mut places);
    places[(index % CANDIDATES as u64) as usize]
}
