//! E2: the first letter after known introductions are deleted.

use super::python;
use std::ops::RangeInclusive;

/// Introductions, deleted one after the other wherever they stand, and the letters that count afterwards.
pub(super) struct Rule {
    prefixes: &'static [&'static str],
    /// Deleted after these.
    further: &'static [&'static str],
    letters: RangeInclusive<char>,
}

/// lmms-eval's older Video-MME task. Two entries are joined because commas were missing there.
pub(super) const LEGACY: Rule = Rule {
    prefixes: &[
        "The best answer is",
        "The correct answer is",
        "The answer is",
        "The answer",
        "The best option isThe correct option is",
        "Best answer:Best option:",
    ],
    further: &[],
    letters: 'A'..='D',
};

/// Video-MME's own script.
pub(super) const OFFICIAL: Rule =
    Rule { further: &["Answer:", "Option:", "The correct answer", "The correct option"], ..LEGACY };

/// LongVideoBench: E counts even where there are four options.
pub(super) const LVB: Rule = Rule {
    prefixes: &[
        "The best answer is",
        "The correct answer is",
        "The answer is",
        "The answer",
        "The best option is",
        "The correct option is",
        "Best answer:",
        "Best option:",
    ],
    further: &[],
    letters: 'A'..='E',
};

pub(super) fn first(response: &str, rule: &Rule) -> Option<char> {
    let text = python::trim(response).to_owned();
    let text = rule.prefixes.iter().chain(rule.further).fold(text, |text, prefix| text.replace(prefix, ""));
    text.chars().find(|c| rule.letters.contains(c))
}
