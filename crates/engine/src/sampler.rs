//! Logits to a token.

use crate::settings::GenerationSettings;
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Chooses tokens; the same seed gives the same choices on every machine that computes the same logits.
pub(crate) struct Sampler {
    settings: GenerationSettings,
    random: ChaCha8Rng,
    /// Rows from here on are padding of the embedding table.
    vocabulary: usize,
}

impl Sampler {
    pub(crate) fn new(settings: &GenerationSettings, vocabulary: usize) -> Self {
        let random = ChaCha8Rng::seed_from_u64(settings.seed);
        Self { settings: settings.clone(), random, vocabulary }
    }

    /// The next token, given those already in the answer.
    pub(crate) fn choose(&mut self, logits: &[f32], answer: &[u32]) -> u32 {
        let mut logits = logits[..self.vocabulary.min(logits.len())].to_vec();
        self.penalise(&mut logits, answer);
        if self.settings.temperature == 0.0 {
            return argmax(&logits);
        }
        self.draw(&logits)
    }

    /// Each token of the answer once: positive logits are divided by the penalty, negative ones multiplied.
    fn penalise(&self, logits: &mut [f32], answer: &[u32]) {
        let penalty = self.settings.repetition_penalty as f32;
        if penalty == 1.0 {
            return;
        }
        let mut seen = answer.to_vec();
        seen.sort_unstable();
        seen.dedup();
        for id in seen {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }

    /// Draws from the most probable tokens that together hold `top_p`.
    fn draw(&mut self, logits: &[f32]) -> u32 {
        let best = f64::from(logits[argmax(logits) as usize]);
        let weight = |logit: f32| ((f64::from(logit) - best) / self.settings.temperature).exp();
        let mut weights: Vec<(u32, f64)> =
            logits.iter().enumerate().map(|(id, logit)| (id as u32, weight(*logit))).collect();
        weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let total: f64 = weights.iter().map(|(_, w)| w).sum();
        let mut kept = 0.0;
        let inside = weights.iter().take_while(|(_, w)| {
            let before = kept;
            kept += w;
            before < self.settings.top_p * total
        });
        let nucleus: Vec<(u32, f64)> = inside.copied().collect();
        let mut at = self.random.random::<f64>() * nucleus.iter().map(|(_, w)| w).sum::<f64>();
        for (id, w) in &nucleus {
            at -= w;
            if at <= 0.0 {
                return *id;
            }
        }
        nucleus.last().map_or(0, |(id, _)| *id)
    }
}

/// The largest logit's id; the lowest id among equals.
fn argmax(logits: &[f32]) -> u32 {
    let best = logits
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, v)| if *v > best.1 { (i, *v) } else { best });
    best.0 as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampler(change: impl FnOnce(&mut GenerationSettings)) -> Sampler {
        let mut settings = GenerationSettings::default();
        change(&mut settings);
        Sampler::new(&settings, 4)
    }

    #[test]
    fn greedy_takes_the_largest_within_the_vocabulary_and_the_first_of_equals() {
        assert_eq!(sampler(|_| ()).choose(&[0.0, 2.0, 2.0, 1.0, 9.0], &[]), 1);
    }

    #[test]
    fn repetition_penalty_lowers_both_signs() {
        let mut sampler = sampler(|s| s.repetition_penalty = 2.0);
        assert_eq!(sampler.choose(&[1.0, 1.5, -5.0, -5.0], &[1, 1]), 0);
        assert_eq!(sampler.choose(&[-1.0, -1.5, -5.0, -5.0], &[0, 0]), 1);
    }

    #[test]
    fn drawing_follows_the_probabilities_and_the_seed() {
        let logits = [3f32.ln(), 1f32.ln(), f32::NEG_INFINITY, f32::NEG_INFINITY];
        let draw = |seed| {
            let mut sampler = sampler(|s| (s.temperature, s.seed) = (1.0, seed));
            (0..4000).map(|_| sampler.choose(&logits, &[])).collect::<Vec<_>>()
        };
        let drawn = draw(1);
        let zeros = drawn.iter().filter(|id| **id == 0).count();
        assert!((2850..3150).contains(&zeros), "{zeros} of 4000 for probability 0.75");
        assert!(drawn.iter().all(|id| *id < 2));
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
    }

    proptest! {
        #[test]
        fn a_small_top_p_is_greedy(logits in proptest::collection::vec(-5f32..5.0, 4), seed: u64) {
            let mut drawing = sampler(|s| (s.temperature, s.top_p, s.seed) = (1.0, 1e-9, seed));
            prop_assert_eq!(drawing.choose(&logits, &[]), argmax(&logits));
        }
    }
}
