//! Scores of frames to spans of time. Pure.

use super::best_frame;
use crate::plan::RunPlan;
use longsight_video::MediaTime;
use serde::Serialize;
use std::ops::Range;

/// A frame belongs to a moment where it scores at least this share of the moment's best.
const BELONGS: f64 = 0.5;
/// A moment is listed where its best frame scores at least this share of the best of all.
const WORTH_LISTING: f64 = 0.2;

/// A span of time that an answer rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// From half-way to the frame before; the clip's begin for the first.
    pub from_secs: f64,
    /// To half-way to the frame after.
    pub to_secs: f64,
    /// Share of the evidence: the sum of its frames' scores.
    pub score: f64,
    /// Sampled frames, by their place in the prompt.
    pub frames: Range<usize>,
    /// Place of the best of them.
    pub best_frame: usize,
    /// Its index in the video.
    pub best_frame_index: usize,
    /// Its presentation time.
    pub best_time_secs: MediaTime,
}

/// The best `most` moments of frames scored with `scores`, in the order of their best frames; none where all scores are 0.
pub fn moments(plan: &RunPlan, scores: &[f64], most: usize) -> Vec<Moment> {
    let times: Vec<f64> = plan.sample.frames.iter().map(|frame| frame.time.secs()).collect();
    let mut found: Vec<Moment> = Vec::new();
    for run in runs(scores, most) {
        let span = span(&times, &run, plan.video.duration_secs);
        let best = best_frame(scores, run.clone());
        let Some(best_frame) = best.filter(|best| *best < plan.sample.frames.len()) else { continue };
        let frame = &plan.sample.frames[best_frame];
        found.push(Moment {
            from_secs: span.0,
            to_secs: span.1,
            score: scores[run.clone()].iter().sum(),
            frames: run,
            best_frame,
            best_frame_index: frame.index,
            best_time_secs: frame.time,
        });
    }
    found
}

/// Runs of frames around the best, then around the best of the rest, and so on.
fn runs(scores: &[f64], most: usize) -> Vec<Range<usize>> {
    let mut taken = vec![false; scores.len()];
    let mut found = Vec::new();
    let best_of_all = scores.iter().copied().fold(0.0, f64::max);
    while found.len() < most {
        // What borders on a moment is its slope, and no moment of its own.
        let apart = |i: &usize| !taken[i.saturating_sub(1)..scores.len().min(i + 2)].contains(&true);
        let free = (0..scores.len()).filter(apart);
        let best = best_frame(scores, free);
        let Some(best) = best.filter(|i| scores[*i] > 0.0 && scores[*i] >= WORTH_LISTING * best_of_all)
        else {
            break;
        };
        let belongs = |i: usize| apart(&i) && scores[i] >= BELONGS * scores[best];
        let first = (0..best).rev().take_while(|i| belongs(*i)).last().unwrap_or(best);
        let last = (best + 1..scores.len()).take_while(|i| belongs(*i)).last().unwrap_or(best);
        taken[first..=last].fill(true);
        found.push(first..last + 1);
    }
    found
}

/// The time that a run of frames stands for: to half-way to its neighbours.
fn span(times: &[f64], run: &Range<usize>, duration_secs: f64) -> (f64, f64) {
    let middle = |a: usize, b: usize| (times[a] + times[b]) / 2.0;
    let half_step = if times.len() > 1 { (times[1] - times[0]) / 2.0 } else { duration_secs / 2.0 };
    let from =
        if run.start == 0 { (times[0] - half_step).max(0.0) } else { middle(run.start - 1, run.start) };
    let to = match times.get(run.end) {
        Some(_) => middle(run.end - 1, run.end),
        None => (times[run.end - 1] + half_step).min(duration_secs).max(times[run.end - 1]),
    };
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_best_run_comes_first_and_takes_its_neighbours() {
        assert_eq!(runs(&[0.0, 0.3, 0.5, 0.1, 0.0, 0.2, 0.0], 3), [1..3, 5..6]);
        assert_eq!(runs(&[0.0, 0.3, 0.5, 0.1, 0.0, 0.2, 0.0], 1).first(), Some(&(1..3)));
        assert!(runs(&[0.0; 5], 3).is_empty() && runs(&[], 3).is_empty());
        assert_eq!(runs(&[0.5, 0.5], 2).first(), Some(&(0..2)));
        assert_eq!(runs(&[1.0, 0.4, 0.5, 0.3], 2), [0..1, 2..4], "moments do not touch");
    }

    #[test]
    fn spans_reach_half_way_to_the_neighbours() {
        let times = [1.0, 3.0, 5.0, 9.0];
        assert_eq!(span(&times, &(1..2), 10.0), (2.0, 4.0));
        assert_eq!(span(&times, &(0..1), 10.0), (0.0, 2.0));
        assert_eq!(span(&times, &(2..4), 9.5), (4.0, 9.5));
        assert_eq!(span(&[4.0], &(0..1), 10.0), (0.0, 9.0));
    }

    proptest! {
        #[test]
        fn runs_are_apart_and_hold_the_best(scores in prop::collection::vec(0f64..1.0, 1..40), most in 1usize..6) {
            let found = runs(&scores, most);
            prop_assert!(found.len() <= most);
            let mut seen = vec![0; scores.len()];
            found.iter().flat_map(|run| run.clone()).for_each(|i| seen[i] += 1);
            prop_assert!(seen.iter().all(|n| *n <= 1));
            let best = scores.iter().copied().fold(0.0, f64::max);
            if best > 0.0 {
                prop_assert!(found[0].clone().any(|i| scores[i] == best));
            }
        }
    }
}
