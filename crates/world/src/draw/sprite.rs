//! Things drawn once and laid over many frames.

use super::Picture;
use super::geometry::{
    DIGIT_WIDTH, HALF_STROKE, Outline, Point, digit_strokes, rounded_box_distance, segment_distance,
};
use crate::card::{Card, Colour, Shape};

/// Colours with coverage (0 to 1 as 0 to 255), `width * height`.
pub(crate) struct Sprite {
    width: usize,
    height: usize,
    rgba: Vec<[u8; 4]>,
}

impl Sprite {
    /// A square sprite of side `2 * radius`, painted by what `paint` says of each point, in pixels from its middle.
    fn paint(radius: [f64; 2], paint: impl Fn(Point) -> [u8; 4]) -> Self {
        let half = radius.map(|r| r.ceil().max(1.0));
        let [width, height] = half.map(|h| 2 * h as usize);
        let at = |i: usize| [(i % width) as f64 + 0.5 - half[0], (i / width) as f64 + 0.5 - half[1]];
        Self { width, height, rgba: (0..width * height).map(|i| paint(at(i))).collect() }
    }

    /// Lays it over the picture with its middle at `centre`, to the pixel. What falls outside is cut.
    pub(crate) fn lay_over(&self, picture: &mut Picture, centre: [f64; 2]) {
        let (width, height) = (picture.width() as i64, picture.height() as i64);
        let left = centre[0].round() as i64 - self.width as i64 / 2;
        let top = centre[1].round() as i64 - self.height as i64 / 2;
        let (pixels, _) = picture.rgb_mut().as_chunks_mut::<3>();
        for (y, row) in self.rgba.chunks_exact(self.width).enumerate() {
            let y = top + y as i64;
            if !(0..height).contains(&y) {
                continue;
            }
            for (x, &[r, g, b, cover]) in row.iter().enumerate() {
                let x = left + x as i64;
                if cover == 0 || !(0..width).contains(&x) {
                    continue;
                }
                let pixel = &mut pixels[(y * width + x) as usize];
                for (value, new) in pixel.iter_mut().zip([r, g, b]) {
                    let (old, new, cover) = (u32::from(*value), u32::from(new), u32::from(cover));
                    *value = ((old * (255 - cover) + new * cover + 127) / 255) as u8;
                }
            }
        }
    }
}

/// How much of a pixel lies inside, from the distance of its middle to the edge.
fn coverage(distance: f64) -> f64 {
    (0.5 - distance).clamp(0.0, 1.0)
}

fn blend(under: [f64; 3], over: [u8; 3], cover: f64) -> [f64; 3] {
    std::array::from_fn(|i| under[i] + (f64::from(over[i]) - under[i]) * cover)
}

/// A card: `size` is the plate's width and height, tilted clockwise.
pub(crate) fn card_sprite(card: &Card, size: [f64; 2], tilt_degrees: f64) -> Sprite {
    let [width, height] = size;
    let (sin, cos) = tilt_degrees.to_radians().sin_cos();
    let bounds = tilted_bounds(size, tilt_degrees).map(|side| side / 2.0 + 1.0);
    let outline = Outline::new(card.shape);
    let shape_radius = 0.36 * height;
    let shape_centre = [-width / 2.0 + 0.5 * height, 0.0];
    let number = Number::new(card.number, [-width / 2.0 + height, width / 2.0], height);
    let border = 0.035 * height;
    let ink = card.plate.ink().rgb();
    Sprite::paint(bounds, |[x, y]| {
        let at = [x * cos + y * sin, y * cos - x * sin];
        let edge = rounded_box_distance([width / 2.0, height / 2.0], 0.14 * height, at);
        let shape_at = [0, 1].map(|i| (at[i] - shape_centre[i]) / shape_radius);
        let mut colour = card.plate.rgb().map(f64::from);
        colour = blend(colour, ink, 1.0 - coverage(edge + border));
        let shape = outline.distance(shape_at) * shape_radius;
        // A line of ink around it: chroma is coded at half resolution, so colours alone make soft edges.
        colour = blend(colour, ink, coverage(shape - 0.025 * height));
        colour = blend(colour, card.shape_colour.rgb(), coverage(shape));
        colour = blend(colour, ink, coverage(number.distance(at)));
        let [r, g, b] = colour.map(|value| value.round() as u8);
        [r, g, b, (255.0 * coverage(edge)).round() as u8]
    })
}

/// Width and height of the upright rectangle around a tilted one.
pub(crate) fn tilted_bounds([width, height]: [f64; 2], tilt_degrees: f64) -> [f64; 2] {
    let (sin, cos) = tilt_degrees.to_radians().sin_cos();
    [width * cos.abs() + height * sin.abs(), width * sin.abs() + height * cos.abs()]
}

/// A number's strokes, in pixels from the plate's middle.
struct Number {
    strokes: Vec<(Point, Point)>,
    half_stroke: f64,
}

impl Number {
    /// Fits the digits between `left` and `right`, beside the shape.
    fn new(number: u8, [left, right]: [f64; 2], plate_height: f64) -> Self {
        let digits: Vec<u8> = number.to_string().bytes().map(|byte| byte - b'0').collect();
        let between = 0.32;
        let units = digits.len() as f64 * (DIGIT_WIDTH + between) - between;
        let room = right - left - 0.12 * plate_height;
        let scale = (0.68 * plate_height).min(room / (units + 2.0 * HALF_STROKE));
        let start = (left + right - 0.06 * plate_height) / 2.0 - units * scale / 2.0;
        let place = |i: usize, [x, y]: Point| {
            [start + (i as f64 * (DIGIT_WIDTH + between) + x) * scale, (y - 0.5) * scale]
        };
        let strokes = digits.iter().enumerate().flat_map(|(i, &digit)| {
            digit_strokes(digit).into_iter().map(move |(a, b)| (place(i, a), place(i, b)))
        });
        Self { strokes: strokes.collect(), half_stroke: HALF_STROKE * scale }
    }

    fn distance(&self, at: Point) -> f64 {
        let nearest = |nearest: f64, &(a, b): &(Point, Point)| nearest.min(segment_distance(a, b, at));
        self.strokes.iter().fold(f64::INFINITY, nearest) - self.half_stroke
    }
}

/// A shape without plate and number, which is no card.
pub(crate) fn distractor_sprite(shape: Shape, colour: Colour, radius: f64, turn_degrees: f64) -> Sprite {
    let outline = Outline::new(shape);
    let (sin, cos) = turn_degrees.to_radians().sin_cos();
    let [r, g, b] = colour.rgb();
    Sprite::paint([radius * 1.15; 2], |[x, y]| {
        let at = [(x * cos + y * sin) / radius, (y * cos - x * sin) / radius];
        [r, g, b, (255.0 * coverage(outline.distance(at) * radius)).round() as u8]
    })
}
