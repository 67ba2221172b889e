use super::RopePlan;

/// cos and sin of a run of positions, already times the attention factor.
#[derive(Debug, Clone, PartialEq)]
pub struct CosSin {
    /// Positions x half_dim, row-major.
    pub cos: Vec<f32>,
    /// Positions x half_dim, row-major.
    pub sin: Vec<f32>,
    /// Columns: head_dim / 2. Channel i pairs with channel i + half_dim (half-split layout).
    pub half_dim: usize,
}

impl RopePlan {
    /// The table of `positions`, each array positions x head_dim/2.
    ///
    /// Angles are f64 and only the results are rounded to f32: at position 50,000 an f32 angle is off by
    /// thousandths of a radian, and a bf16 position past 256 is not even the right integer.
    pub fn table(&self, positions: &[usize]) -> CosSin {
        let half_dim = self.inv_freq.len();
        let mut cos = Vec::with_capacity(positions.len().saturating_mul(half_dim));
        let mut sin = Vec::with_capacity(positions.len().saturating_mul(half_dim));
        for position in positions.iter().map(|position| *position as f64) {
            for inv_freq in &self.inv_freq {
                let (s, c) = (position * inv_freq).sin_cos();
                cos.push((c * self.attention_factor) as f32);
                sin.push((s * self.attention_factor) as f32);
            }
        }
        CosSin { cos, sin, half_dim }
    }
}
