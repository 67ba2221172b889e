//! One response: what it says, and whether that is right.

use crate::data::NO_GOLD;
use crate::extract::extract;
use crate::{Profile, Record};

/// Reads the prediction off a record's response under `profile` and scores it. A failed video has no prediction and
/// scores 0, as do rows whose answer is hidden.
pub fn score_record(record: &mut Record, profile: Profile) {
    let (prediction, is_correct) = judge(record, profile);
    record.prediction = prediction;
    record.score = f64::from(is_correct);
}

pub(super) fn judge(record: &Record, profile: Profile) -> (String, bool) {
    let read = |response: &String| extract(profile.extractor(), response, &record.options);
    let prediction = record.response.as_ref().map(read).unwrap_or_default();
    let is_correct = !prediction.is_empty()
        && prediction != NO_GOLD
        && record.gold.as_ref().is_some_and(|gold| *gold == prediction);
    (prediction, is_correct)
}
