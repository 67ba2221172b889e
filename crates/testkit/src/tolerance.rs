//! How near is near enough, as a type, so that a test says which kind it means.

/// What a comparison allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Bit for bit (two NaNs are not equal).
    Exact,
    /// |a - b| <= t for every element.
    Absolute(f64),
    /// ||a - b|| <= t ||b||, over all elements together (Euclidean norm).
    Relative(f64),
}

impl Tolerance {
    /// Ok where `actual` is within the tolerance of `expected`; otherwise one line that names the measured
    /// error and the worst element. A value that is not finite never passes.
    pub fn check(self, actual: &[f32], expected: &[f32]) -> Result<(), String> {
        if actual.len() != expected.len() {
            return Err(format!("{} values, expected {}", actual.len(), expected.len()));
        }
        if let Some(i) = actual.iter().position(|value| !value.is_finite()) {
            return Err(format!("element {i} is {}", actual[i]));
        }
        let (worst, difference) = worst_element(actual, expected);
        let (error, limit) = match self {
            Self::Exact => (difference, 0.0),
            Self::Absolute(limit) => (difference, limit),
            Self::Relative(limit) => (relative_error(actual, expected), limit),
        };
        if error <= limit {
            return Ok(());
        }
        Err(format!(
            "error {error:.3e} exceeds {self:?}; worst is element {worst} of {}: {} instead of {}",
            actual.len(),
            actual[worst],
            expected[worst]
        ))
    }

    /// As [`Tolerance::check`], but fails the test with `what` in front.
    #[track_caller]
    pub fn assert(self, what: &str, actual: &[f32], expected: &[f32]) {
        if let Err(message) = self.check(actual, expected) {
            panic!("{what}: {message}");
        }
    }
}

fn worst_element(actual: &[f32], expected: &[f32]) -> (usize, f64) {
    let differences = actual.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    differences.enumerate().fold((0, 0.0), |worst, (i, d)| if d > worst.1 { (i, d) } else { worst })
}

/// ||a - b|| / ||b|| in f64; 0 where both are zero, infinite where only `b` is.
pub fn relative_error(actual: &[f32], expected: &[f32]) -> f64 {
    let difference: f64 =
        actual.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    let norm: f64 = expected.iter().map(|b| f64::from(*b).powi(2)).sum();
    if difference == 0.0 { 0.0 } else { (difference / norm).sqrt() }
}

/// The cosine of the angle between two vectors, in f64.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_is_over_the_whole_vector() {
        let (a, b) = ([100.0, 0.001], [100.0, 0.0]);
        assert!(Tolerance::Relative(1e-4).check(&a, &b).is_ok());
        assert!(Tolerance::Absolute(1e-4).check(&a, &b).is_err());
    }

    #[test]
    fn the_worst_element_is_named() {
        let message = Tolerance::Exact.check(&[1.0, 2.0, 3.5], &[1.0, 2.0, 3.0]).unwrap_err();
        assert!(message.contains("element 2") && message.contains("3.5 instead of 3"), "{message}");
    }

    #[test]
    fn nan_and_wrong_length_never_pass() {
        assert!(Tolerance::Absolute(f64::INFINITY).check(&[f32::NAN], &[0.0]).is_err());
        assert!(Tolerance::Relative(1.0).check(&[1.0], &[1.0, 1.0]).is_err());
    }

    #[test]
    fn cosine_of_orthogonal_and_equal_vectors() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), 0.0);
        assert!((cosine(&[1.0, 2.0], &[2.0, 4.0]) - 1.0).abs() < 1e-12);
    }
}
