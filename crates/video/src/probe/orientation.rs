//! The turn that a container's display matrix asks for.

/// What makes a stored picture upright: a mirror, then a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Orientation {
    /// Left and right change places, before the turn.
    pub(crate) is_mirrored: bool,
    /// Clockwise, from 0 to below 360.
    degrees: f64,
}

impl Orientation {
    /// A clockwise turn; of an angle that is not a number, none.
    pub(super) fn turned(degrees: f64) -> Self {
        let degrees = if degrees.is_finite() { degrees.rem_euclid(360.0) } else { 0.0 };
        Self { is_mirrored: false, degrees }
    }

    /// From ffprobe's print of a display matrix, three rows of `00000000:  65536  0  0`, which takes a stored column and row
    /// `(x, y)` to `(a x + c y, b x + d y)`; its rows begin with `a b`, `c d`. None where it takes everything to one line.
    pub(super) fn from_matrix(text: &str) -> Option<Self> {
        let numbers = |line: &str| -> Option<(f64, f64)> {
            let mut numbers = line.split_once(':')?.1.split_whitespace().map(str::parse::<f64>);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        };
        let mut rows = text.lines().filter_map(numbers);
        let ((a, b), (c, d)) = (rows.next()?, rows.next()?);
        let determinant = a * d - b * c;
        let turned = Self::turned((-c).atan2(d).to_degrees());
        (determinant != 0.0).then_some(Self { is_mirrored: determinant < 0.0, ..turned })
    }

    /// Clockwise, to the nearest degree: 0 to 359.
    pub(super) fn rotation_degrees(self) -> u32 {
        self.degrees.round().rem_euclid(360.0) as u32
    }

    /// Number of quarter turns, within a degree of them; any other angle has none.
    fn quarter_turns(self) -> Option<usize> {
        let quarters = (self.degrees / 90.0).round();
        ((self.degrees - quarters * 90.0).abs() < 1.0).then_some(quarters as usize % 4)
    }

    /// Width and height after the turn; any but a quarter turn keeps them.
    pub(super) fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.quarter_turns().is_some_and(|turns| turns % 2 == 1) {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// ffmpeg's filters that turn an RGB picture upright, each after a comma. What is uncovered by a turn of less than a
    /// quarter is black.
    pub(crate) fn filters(self) -> String {
        let mirror = if self.is_mirrored { ",hflip" } else { "" };
        let turn = match self.quarter_turns() {
            Some(0) => String::new(),
            Some(1) => ",transpose=clock".to_owned(),
            Some(2) => ",hflip,vflip".to_owned(),
            Some(_) => ",transpose=cclock".to_owned(),
            None => format!(",rotate={:.6}*PI/180", self.degrees),
        };
        format!("{mirror}{turn}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Option<Orientation> {
        let row = |at: usize, x: i32, y: i32, z: i32| format!("{at:08}: {x:12} {y:12} {z:12}\n");
        let of = |x: i32| x * 65536;
        let rows = row(0, of(a), of(b), 0) + &row(1, of(c), of(d), 0) + &row(2, 0, 0, 1 << 30);
        Orientation::from_matrix(&format!("\n{rows}"))
    }

    #[test]
    fn the_eight_orientations_of_a_display_matrix() {
        for (numbers, degrees, is_mirrored, filters) in [
            ((1, 0, 0, 1), 0, false, ""),
            ((0, 1, -1, 0), 90, false, ",transpose=clock"),
            ((-1, 0, 0, -1), 180, false, ",hflip,vflip"),
            ((0, -1, 1, 0), 270, false, ",transpose=cclock"),
            ((-1, 0, 0, 1), 0, true, ",hflip"),
            ((1, 0, 0, -1), 180, true, ",hflip,hflip,vflip"),
            ((0, -1, -1, 0), 90, true, ",hflip,transpose=clock"),
            ((0, 1, 1, 0), 270, true, ",hflip,transpose=cclock"),
        ] {
            let (a, b, c, d) = numbers;
            let orientation = matrix(a, b, c, d).unwrap();
            assert_eq!(
                (orientation.rotation_degrees(), orientation.is_mirrored),
                (degrees, is_mirrored),
                "{numbers:?}"
            );
            assert_eq!(orientation.filters(), filters, "{numbers:?}");
            let turned = if degrees % 180 == 90 { (2, 3) } else { (3, 2) };
            assert_eq!(orientation.size((3, 2)), turned, "{numbers:?}");
        }
    }

    #[test]
    fn odd_angles_and_matrices() {
        assert_eq!(Orientation::turned(-90.0), Orientation::turned(270.0));
        assert_eq!(Orientation::turned(359.6).filters(), "");
        assert_eq!(Orientation::turned(45.0).filters(), ",rotate=45.000000*PI/180");
        assert_eq!(Orientation::turned(45.0).size((3, 2)), (3, 2));
        assert_eq!(Orientation::turned(f64::NAN), Orientation::default());
        for text in ["", "\n", "00000000: 1", "00000000: x y z\n00000001: 0 0 0\n"] {
            assert_eq!(Orientation::from_matrix(text), None, "{text:?}");
        }
        assert_eq!(matrix(0, 0, 0, 0), None);
        assert_eq!(matrix(1, 1, 1, 1), None);
    }
}
