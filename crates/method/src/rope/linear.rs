//! Position interpolation (S. Chen et al., arXiv 2306.15595): `f_i / s`.

pub(super) fn inv_freq(base: &[f64], scale: f64) -> Vec<f64> {
    base.iter().map(|frequency| frequency / scale).collect()
}
