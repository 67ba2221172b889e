//! Shapes and digits as signed distances (negative inside), after Inigo Quilez' collection of 2-D distance functions.

use crate::card::Shape;
use std::f64::consts::{FRAC_PI_2, TAU};

pub(crate) type Point = [f64; 2];

/// A shape around the origin, within the circle of radius 1; y points down.
pub(crate) struct Outline {
    corners: Vec<Point>,
    /// Radii of rings and discs, which have no corners.
    round: Option<(f64, f64)>,
}

impl Outline {
    pub(crate) fn new(shape: Shape) -> Self {
        let corners = match shape {
            Shape::Circle => return Self { corners: Vec::new(), round: Some((0.0, 0.9)) },
            Shape::Ring => return Self { corners: Vec::new(), round: Some((0.5, 0.95)) },
            Shape::Square => vec![[-0.78, -0.78], [0.78, -0.78], [0.78, 0.78], [-0.78, 0.78]],
            Shape::Triangle => vec![[0.0, -0.95], [0.98, 0.78], [-0.98, 0.78]],
            Shape::Diamond => vec![[0.0, -1.0], [0.66, 0.0], [0.0, 1.0], [-0.66, 0.0]],
            Shape::Star => star(),
            Shape::Cross => cross(0.9, 0.3),
            Shape::Heart => heart(),
        };
        Self { corners, round: None }
    }

    /// Distance from `at` to the edge.
    pub(crate) fn distance(&self, at: Point) -> f64 {
        match self.round {
            Some((inner, outer)) => {
                let radius = at[0].hypot(at[1]);
                if inner > 0.0 { (radius - outer).max(inner - radius) } else { radius - outer }
            }
            None => polygon_distance(&self.corners, at),
        }
    }
}

fn star() -> Vec<Point> {
    let corner = |i: usize| {
        let radius = if i.is_multiple_of(2) { 1.0 } else { 0.42 };
        let angle = i as f64 * TAU / 10.0 - FRAC_PI_2;
        [radius * angle.cos(), radius * angle.sin() + 0.06]
    };
    (0..10).map(corner).collect()
}

fn cross(long: f64, short: f64) -> Vec<Point> {
    let (l, s) = (long, short);
    vec![
        [-s, -l],
        [s, -l],
        [s, -s],
        [l, -s],
        [l, s],
        [s, s],
        [s, l],
        [-s, l],
        [-s, s],
        [-l, s],
        [-l, -s],
        [-s, -s],
    ]
}

/// The well-known heart curve: x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t.
fn heart() -> Vec<Point> {
    let corner = |i: usize| {
        let t = i as f64 * TAU / 32.0;
        let y = 13.0 * t.cos() - 5.0 * (2.0 * t).cos() - 2.0 * (3.0 * t).cos() - (4.0 * t).cos();
        [16.0 * t.sin().powi(3) / 17.0, -y / 17.0 - 0.12]
    };
    (0..32).map(corner).collect()
}

fn polygon_distance(corners: &[Point], at: Point) -> f64 {
    let mut inside = false;
    let mut nearest = f64::INFINITY;
    for (i, &a) in corners.iter().enumerate() {
        let b = corners[(i + 1) % corners.len()];
        nearest = nearest.min(segment_distance(a, b, at));
        if (a[1] > at[1]) != (b[1] > at[1]) && at[0] < (b[0] - a[0]) * (at[1] - a[1]) / (b[1] - a[1]) + a[0] {
            inside = !inside;
        }
    }
    if inside { -nearest } else { nearest }
}

pub(crate) fn segment_distance(a: Point, b: Point, at: Point) -> f64 {
    let (along, to) = ([b[0] - a[0], b[1] - a[1]], [at[0] - a[0], at[1] - a[1]]);
    let length = along[0] * along[0] + along[1] * along[1];
    let share =
        if length > 0.0 { ((to[0] * along[0] + to[1] * along[1]) / length).clamp(0.0, 1.0) } else { 0.0 };
    (to[0] - share * along[0]).hypot(to[1] - share * along[1])
}

/// Distance to a rectangle around the origin with round corners; `half` is half its width and height.
pub(crate) fn rounded_box_distance(half: Point, radius: f64, at: Point) -> f64 {
    let q = [at[0].abs() - half[0] + radius, at[1].abs() - half[1] + radius];
    q[0].max(0.0).hypot(q[1].max(0.0)) + q[0].max(q[1]).min(0.0) - radius
}

/// Width of a digit of height 1, between the middles of its strokes.
pub(crate) const DIGIT_WIDTH: f64 = 0.6;
/// Half the width of a stroke, for digits of height 1.
pub(crate) const HALF_STROKE: f64 = 0.095;

/// The strokes of a digit, in a box 0.6 wide and 1 high; y points down. 6 and 9 keep their stems and 1 its foot, so that
/// tilted ones stay apart.
pub(crate) fn digit_strokes(digit: u8) -> Vec<(Point, Point)> {
    let lines: Vec<Vec<Point>> = match digit {
        0 => vec![arc([0.3, 0.5], [0.29, 0.5], 0.0, 360.0)],
        1 => vec![vec![[0.08, 0.24], [0.33, 0.0], [0.33, 1.0]], vec![[0.1, 1.0], [0.56, 1.0]]],
        2 => {
            let mut line = arc([0.3, 0.29], [0.28, 0.29], -170.0, 35.0);
            line.extend([[0.03, 1.0], [0.6, 1.0]]);
            vec![line]
        }
        3 => {
            vec![arc([0.27, 0.25], [0.27, 0.25], -150.0, 90.0), arc([0.27, 0.75], [0.32, 0.25], -90.0, 150.0)]
        }
        4 => vec![vec![[0.45, 1.0], [0.45, 0.0], [0.0, 0.7], [0.62, 0.7]]],
        5 => {
            let mut line = vec![[0.55, 0.0], [0.08, 0.0], [0.05, 0.44]];
            line.extend(arc([0.27, 0.67], [0.32, 0.33], -135.0, 145.0));
            vec![line]
        }
        6 => six(),
        7 => vec![vec![[0.0, 0.0], [0.6, 0.0], [0.2, 1.0]]],
        8 => vec![arc([0.3, 0.24], [0.24, 0.24], 0.0, 360.0), arc([0.3, 0.74], [0.3, 0.26], 0.0, 360.0)],
        _ => six()
            .into_iter()
            .map(|line| line.into_iter().map(|[x, y]| [0.6 - x, 1.0 - y]).collect())
            .collect(),
    };
    lines.iter().flat_map(|line| line.windows(2).map(|pair| (pair[0], pair[1]))).collect()
}

fn six() -> Vec<Vec<Point>> {
    vec![arc([0.58, 0.68], [0.56, 0.68], 180.0, 262.0), arc([0.3, 0.69], [0.28, 0.31], 0.0, 360.0)]
}

/// Points on an ellipse from one angle to another, in degrees; 0 is to the right, 90 down.
fn arc(centre: Point, radii: Point, from: f64, to: f64) -> Vec<Point> {
    let steps = ((to - from).abs() / 24.0).ceil().max(2.0) as usize;
    let point = |i: usize| {
        let angle = (from + (to - from) * i as f64 / steps as f64).to_radians();
        [centre[0] + radii[0] * angle.cos(), centre[1] + radii[1] * angle.sin()]
    };
    (0..=steps).map(point).collect()
}
