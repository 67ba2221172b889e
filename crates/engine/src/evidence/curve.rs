//! Heads and prompts to one score a frame. Pure.

/// Attention to frames, `[heads, frames]` each: mean over tokens of the sum of softmax weights on a frame's positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameAttention {
    /// From the prompt's last token and the answer's.
    pub answer: Vec<f64>,
    /// From the last token of the neutral prompt.
    pub neutral: Vec<f64>,
    /// How many frames.
    pub frames: usize,
}

/// How attention becomes a frame's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reduction {
    /// The answer's attention as it is, averaged over heads: what sinks and fine grids dominate. For comparison.
    Plain,
    /// (a^2 - n^2) / a where the answer's attention a is above the neutral prompt's n, else 0; averaged over heads. Frames
    /// that both look at alike get nothing; one that the answer looks at far more keeps nearly all of a.
    #[default]
    Excess,
}

impl Reduction {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Excess];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Excess => "excess",
        }
    }
}

/// A score for each frame, together 1; all 0 where no frame gets more than the neutral prompt gives it.
pub fn frame_scores(attention: &FrameAttention, reduction: Reduction) -> Vec<f64> {
    let frames = attention.frames;
    let mut scores = vec![0.0; frames];
    if frames == 0 {
        return scores;
    }
    let heads = attention.answer.chunks_exact(frames).zip(attention.neutral.chunks_exact(frames));
    for (answer, neutral) in heads {
        for ((score, a), n) in scores.iter_mut().zip(answer).zip(neutral) {
            *score += match reduction {
                Reduction::Plain => *a,
                Reduction::Excess if a > n => (a * a - n * n) / a,
                Reduction::Excess => 0.0,
            };
        }
    }
    let sum: f64 = scores.iter().sum();
    if sum > 0.0 {
        scores.iter_mut().for_each(|score| *score /= sum);
    }
    scores
}

/// Of `among`, the frame with the highest score; the first of several.
pub fn best_frame(scores: &[f64], among: impl Iterator<Item = usize>) -> Option<usize> {
    among.max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attention(answer: &[f64], neutral: &[f64], frames: usize) -> FrameAttention {
        FrameAttention { answer: answer.to_vec(), neutral: neutral.to_vec(), frames }
    }

    /// Frame 0 is a sink: it gets most attention, whatever is asked. The answer looks at frame 2.
    #[test]
    fn a_sink_wins_plain_attention_and_nothing_else() {
        let measured = attention(&[0.5, 0.01, 0.10, 0.01], &[0.5, 0.01, 0.01, 0.01], 4);
        let best = |reduction| {
            let scores = frame_scores(&measured, reduction);
            best_frame(&scores, 0..4).unwrap()
        };
        assert_eq!(Reduction::ALL.map(best), [0, 2]);
        assert_eq!(frame_scores(&measured, Reduction::Excess), [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn nothing_stands_out_where_both_prompts_look_alike() {
        let same = attention(&[0.2, 0.3], &[0.2, 0.3], 2);
        assert_eq!(frame_scores(&same, Reduction::Excess), [0.0, 0.0]);
        assert!(frame_scores(&attention(&[], &[], 0), Reduction::Excess).is_empty());
        assert_eq!(frame_scores(&attention(&[], &[], 3), Reduction::Plain), [0.0; 3]);
    }

    proptest! {
        #[test]
        fn scores_are_a_distribution(
            values in prop::collection::vec((0f64..1.0, 0f64..1.0), 1..60), frames in 1usize..8,
        ) {
            let (answer, neutral): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            for reduction in Reduction::ALL {
                let scores = frame_scores(&attention(&answer, &neutral, frames), reduction);
                prop_assert_eq!(scores.len(), frames);
                prop_assert!(scores.iter().all(|score| *score >= 0.0));
                let sum: f64 = scores.iter().sum();
                prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9);
            }
        }
    }
}
