//! Invented speech, most of it of no use.

use crate::questions::{article, coloured_shape};
use crate::random::Random;
use crate::script::VideoScript;

/// A sentence and when it is said, in seconds.
pub(crate) struct Cue {
    pub(crate) from_secs: f64,
    pub(crate) to_secs: f64,
    pub(crate) text: String,
}

/// Speech for a video, in order, without overlaps, to the millisecond. Now and then a sentence names the coloured shape of
/// the card that shows, never its number or its plate.
pub(crate) fn speech(script: &VideoScript) -> Vec<Cue> {
    let mut random = Random::new(script.seed, "speech", 0);
    let to_millisecond = |secs: f64| (secs * 1000.0).round() / 1000.0;
    let mut cues = Vec::new();
    let mut now = random.between(0.2, 1.5);
    loop {
        let end = now + random.between(1.2, 4.0);
        if end >= script.duration_secs {
            return cues;
        }
        let showing = script.cards.iter().find(|card| card.from_secs < end && now < card.to_secs);
        let text = match showing {
            Some(shown) if random.chance(0.4) => {
                let label = coloured_shape(shown.card.shape_colour, shown.card.shape);
                let start = random.of(["Look, there is", "And here we have", "I can see", "Now this is"]);
                format!("{start} {} {label}.", article(&label))
            }
            _ => sentence(&mut random),
        };
        cues.push(Cue { from_secs: to_millisecond(now), to_secs: to_millisecond(end), text });
        now = end + random.between(0.1, 6.0);
    }
}

fn sentence(random: &mut Random) -> String {
    let who = random.of([
        "The ferryman",
        "My neighbour",
        "An old clockmaker",
        "The gardener",
        "Our guide",
        "A young baker",
    ]);
    let does = random.of([
        "talks about",
        "remembers",
        "never mentions",
        "is looking for",
        "paints",
        "would not sell",
    ]);
    let what = random.of([
        "the harbour",
        "a copper kettle",
        "the north road",
        "last winter",
        "the missing ladder",
        "his choir",
    ]);
    let when =
        random.of(["", " in the morning", " for hours", " without a word", " before supper", " every year"]);
    format!("{who} {does} {what}{when}.")
}

/// `HH:MM:SS.mmm`, with the given mark before the milliseconds.
pub(crate) fn clock(secs: f64, mark: char) -> String {
    let millis = (secs * 1000.0).round().max(0.0) as u64;
    let (seconds, minutes, hours) = (millis / 1000 % 60, millis / 60_000 % 60, millis / 3_600_000);
    format!("{hours:02}:{minutes:02}:{seconds:02}{mark}{:03}", millis % 1000)
}
