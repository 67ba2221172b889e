//! Footage drawn here. Speeds are a second, so that the frame rate changes nothing but smoothness.

use super::Footage;
use crate::draw::Picture;
use crate::random::{Random, mix};
use std::f64::consts::TAU;

/// Side of a tile of noise; a power of two, so that positions wrap by a mask.
const TILE: usize = 256;

/// A look, ready to be drawn at any time.
pub(crate) struct Drawn {
    footage: Footage,
    seed: u64,
    palette: [[u8; 3]; 256],
    corners: [[f64; 3]; 4],
    /// Fractal noise, for clouds only.
    tile: Vec<u8>,
    /// Random numbers in 0..1 that the looks use as they like: speeds, directions, scales.
    traits: [f64; 6],
}

impl Drawn {
    pub(crate) fn new(footage: Footage, seed: u64) -> Self {
        let mut random = Random::new(seed, "drawn", 0);
        Self {
            footage,
            seed,
            palette: palette(&mut random),
            corners: std::array::from_fn(|_| {
                let value = random.between(40.0, 190.0);
                muted(&mut random, value)
            }),
            tile: if footage == Footage::Clouds { noise_tile(seed) } else { Vec::new() },
            traits: std::array::from_fn(|_| random.unit()),
        }
    }

    /// Paints what is seen `secs` after the cut.
    pub(crate) fn paint(&self, secs: f64, picture: &mut Picture) {
        match self.footage {
            Footage::Clouds => self.clouds(secs, picture),
            Footage::Waves => self.waves(secs, picture),
            Footage::Noise => self.noise(secs, picture),
            Footage::Checks => self.checks(secs, picture),
            _ => self.gradient(secs, picture),
        }
    }

    /// -1..1 of the trait, never slow: half of the range is left out around 0.
    fn speed(&self, index: usize) -> f64 {
        let value = 2.0 * self.traits[index] - 1.0;
        value.signum() * (0.4 + 0.6 * value.abs())
    }

    fn clouds(&self, secs: f64, picture: &mut Picture) {
        let scale = TILE as f64 / f64::from(picture.width().max(picture.height()));
        let drift = |index: usize, speed: f64| self.speed(index) * speed * secs + 1000.0;
        let (dx, dy, ex, ey) = (drift(0, 30.0), drift(1, 20.0), drift(2, 50.0), drift(3, 40.0));
        let wrap = |value: f64| (value as usize) & (TILE - 1);
        picture.fill_rows(|y, row| {
            let y = y as f64 * scale;
            let (near, far) = (wrap(1.3 * y + dy) * TILE, wrap(2.6 * y + ey) * TILE);
            for (x, pixel) in row.iter_mut().enumerate() {
                let x = x as f64 * scale;
                let (a, b) = (self.tile[near + wrap(1.3 * x + dx)], self.tile[far + wrap(2.6 * x + ex)]);
                *pixel = self.palette[usize::from(a / 2) + usize::from(b / 2)];
            }
        });
    }

    fn waves(&self, secs: f64, picture: &mut Picture) {
        let unit = TAU / f64::from(picture.height());
        let frequency = |index: usize| (1.5 + 3.0 * self.traits[index]) * unit;
        let (a, b, c) = (frequency(0), frequency(1), frequency(2));
        let (ta, tb, tc) =
            (2.0 * self.speed(3) * secs, 3.0 * self.speed(4) * secs, 2.5 * self.speed(5) * secs);
        let columns: Vec<f64> = (0..picture.width()).map(|x| (a * f64::from(x) + ta).sin()).collect();
        let bends: Vec<f64> =
            (0..picture.width()).map(|x| 1.5 * (c * f64::from(x) * 0.7 + tc).sin()).collect();
        let sines = sine_table();
        picture.fill_rows(|y, row| {
            let y = y as f64;
            let (row_wave, row_phase) = ((b * y + tb).sin(), c * y + tc);
            for ((pixel, column), bend) in row.iter_mut().zip(&columns).zip(&bends) {
                let turned = sines[((row_phase + bend) * (256.0 / TAU)) as i64 as usize & 255];
                *pixel = self.palette[((column + row_wave + turned) * 42.0 + 128.0) as usize & 255];
            }
        });
    }

    fn noise(&self, secs: f64, picture: &mut Picture) {
        let cell = (picture.height() as usize / 14).max(2) + (self.traits[0] * 6.0) as usize;
        let beat = secs * (1.0 + 2.0 * self.traits[1]);
        let (step, share) = (beat as u64, beat.fract());
        let columns = (picture.width() as usize).div_ceil(cell);
        let value = |row: usize, column: usize, step: u64| {
            let bits = mix(self.seed ^ mix((row * columns + column) as u64 ^ (step << 32)));
            (bits & 255) as f64
        };
        let mut line = vec![[0; 3]; columns];
        picture.fill_rows(|y, row| {
            if y % cell == 0 {
                for (column, colour) in line.iter_mut().enumerate() {
                    let (old, new) = (value(y / cell, column, step), value(y / cell, column, step + 1));
                    *colour = self.palette[(old + (new - old) * share) as usize & 255];
                }
            }
            for (pixels, colour) in row.chunks_mut(cell).zip(&line) {
                pixels.fill(*colour);
            }
        });
    }

    fn gradient(&self, secs: f64, picture: &mut Picture) {
        let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
        let turn = secs * 0.25 * self.speed(0) + 8.0;
        let (from, share) = (turn as usize, turn.fract());
        let corner = |place: usize| {
            let (a, b) = (self.corners[(from + place) % 4], self.corners[(from + place + 1) % 4]);
            lerp(a, b, share)
        };
        // Clockwise: a corner's colour walks to its neighbour.
        let [top_left, top_right, bottom_right, bottom_left] = [corner(0), corner(1), corner(2), corner(3)];
        picture.fill_rows(|y, row| {
            let down = y as f64 / height;
            let mut colour = lerp(top_left, bottom_left, down);
            let right = lerp(top_right, bottom_right, down);
            let step: [f64; 3] = std::array::from_fn(|i| (right[i] - colour[i]) / width);
            for pixel in row {
                *pixel = colour.map(|value| value as u8);
                colour = std::array::from_fn(|i| colour[i] + step[i]);
            }
        });
    }

    fn checks(&self, secs: f64, picture: &mut Picture) {
        let height = f64::from(picture.height());
        let side = height * (0.08 + 0.14 * self.traits[0]);
        let (dx, dy) = (self.speed(1) * 0.3 * height * secs, self.speed(2) * 0.2 * height * secs);
        let sway = height * 0.1 * self.traits[3];
        picture.fill_rows(|y, row| {
            let y = y as f64;
            let shift = dx + sway * (y * 4.0 / height + secs * 1.5).sin() + 1e6;
            let line = ((y + dy + 1e6) / side) as u64;
            let shade = 40.0 * (y / height);
            for (x, pixel) in row.iter_mut().enumerate() {
                let odd = (((x as f64 + shift) / side) as u64 + line) & 1;
                *pixel = self.palette[(odd * 128) as usize + shade as usize + 20];
            }
        });
    }
}

fn sine_table() -> [f64; 256] {
    std::array::from_fn(|i| (i as f64 * TAU / 256.0).sin())
}

fn lerp(a: [f64; 3], b: [f64; 3], share: f64) -> [f64; 3] {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

/// A colour of low saturation, so that plates stand out; `value` is its brightness, 0 to 255.
fn muted(random: &mut Random, value: f64) -> [f64; 3] {
    let (hue, saturation) = (random.between(0.0, 6.0), random.between(0.1, 0.5));
    std::array::from_fn(|i| {
        let k = (hue + [5.0, 3.0, 1.0][i]) % 6.0;
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    })
}

/// Three muted colours, a dark one, a light one and one between, run through and back to the first.
fn palette(random: &mut Random) -> [[u8; 3]; 256] {
    let stops = [(30.0, 80.0), (140.0, 200.0), (80.0, 140.0)].map(|(low, high)| {
        let value = random.between(low, high);
        muted(random, value)
    });
    std::array::from_fn(|i| {
        let at = i as f64 * 3.0 / 256.0;
        let from = at as usize;
        lerp(stops[from % 3], stops[(from + 1) % 3], at.fract()).map(|value| value as u8)
    })
}

/// Value noise in three scales that wraps at its edges.
fn noise_tile(seed: u64) -> Vec<u8> {
    let lattice = |period: usize, x: usize, y: usize| {
        (mix(seed ^ mix(((x % period) * 1024 + y % period + period * 1_048_576) as u64)) & 1023) as f64
            / 1023.0
    };
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let value = |period: usize, x: usize, y: usize| {
        let cell = TILE / period;
        let (u, v) = (smooth((x % cell) as f64 / cell as f64), smooth((y % cell) as f64 / cell as f64));
        let (i, j) = (x / cell, y / cell);
        let top = lattice(period, i, j) * (1.0 - u) + lattice(period, i + 1, j) * u;
        let bottom = lattice(period, i, j + 1) * (1.0 - u) + lattice(period, i + 1, j + 1) * u;
        top * (1.0 - v) + bottom * v
    };
    let point = |i: usize| {
        let (x, y) = (i % TILE, i / TILE);
        (255.0 * (0.55 * value(4, x, y) + 0.3 * value(8, x, y) + 0.15 * value(32, x, y))) as u8
    };
    (0..TILE * TILE).map(point).collect()
}
