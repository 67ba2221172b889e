//! One drawing, two forms: SVG, and pixels with an 8 x 8 bitmap font.

use super::color::{Rgb, WHITE, hex};
use crate::svg::{Anchor, Svg};
use font8x8::legacy::BASIC_LEGACY;
use image::{ImageFormat, RgbImage};

/// Width of a character on either canvas, in units: exact for the bitmap, more than enough for the SVG's text.
pub(super) const CHAR_WIDTH: u32 = 8;
/// Pixels of a unit in the PNG.
const SCALE: u32 = 2;

/// Takes rectangles and lines of text, in units from the upper left corner.
pub(super) trait Canvas {
    /// Fills a rectangle. `note` is shown under the pointer where the canvas can.
    fn rect(&mut self, at: (u32, u32), size: (u32, u32), color: Rgb, note: &str);
    /// Writes one line around the height `at.1`.
    fn text(&mut self, at: (u32, u32), anchor: Anchor, text: &str, color: Rgb);
}

/// Draws into an SVG.
pub(super) struct SvgCanvas(pub(super) Svg);

impl Canvas for SvgCanvas {
    fn rect(&mut self, at: (u32, u32), size: (u32, u32), color: Rgb, note: &str) {
        let fill = format!("fill=\"{}\"", hex(color));
        let (at, size) = ((f64::from(at.0), f64::from(at.1)), (f64::from(size.0), f64::from(size.1)));
        if note.is_empty() {
            self.0.rect(at, size, &fill);
        } else {
            self.0.open("cell", note);
            self.0.rect(at, size, &fill);
            self.0.close();
        }
    }

    fn text(&mut self, at: (u32, u32), anchor: Anchor, text: &str, color: Rgb) {
        // The style attribute wins over a page's colours: these texts stand on colours of their own.
        let style = format!("style=\"fill:{}\"", hex(color));
        self.0.text((f64::from(at.0), f64::from(at.1) + 4.0), anchor, text, &style);
    }
}

/// Draws into pixels.
pub(super) struct Pixels(RgbImage);

impl Pixels {
    /// A white picture; `width` and `height` in units.
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width * SCALE, height * SCALE, image::Rgb(WHITE)))
    }

    /// As a PNG file's bytes.
    pub(super) fn png(&self) -> Result<Vec<u8>, image::ImageError> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        self.0.write_to(&mut bytes, ImageFormat::Png)?;
        Ok(bytes.into_inner())
    }

    /// Fills a rectangle of pixels, as far as it lies inside.
    fn fill(&mut self, at: (u32, u32), size: (u32, u32), color: Rgb) {
        let (width, height) = self.0.dimensions();
        for y in at.1.min(height)..at.1.saturating_add(size.1).min(height) {
            for x in at.0.min(width)..at.0.saturating_add(size.0).min(width) {
                self.0.put_pixel(x, y, image::Rgb(color));
            }
        }
    }
}

impl Canvas for Pixels {
    fn rect(&mut self, at: (u32, u32), size: (u32, u32), color: Rgb, _note: &str) {
        self.fill((at.0 * SCALE, at.1 * SCALE), (size.0 * SCALE, size.1 * SCALE), color);
    }

    fn text(&mut self, at: (u32, u32), anchor: Anchor, text: &str, color: Rgb) {
        let width = text.chars().count() as u32 * CHAR_WIDTH;
        let left = match anchor {
            Anchor::Start => at.0,
            Anchor::Middle => at.0.saturating_sub(width / 2),
            Anchor::End => at.0.saturating_sub(width),
        };
        let top = at.1.saturating_sub(CHAR_WIDTH / 2);
        for (index, c) in text.chars().enumerate() {
            let glyph = BASIC_LEGACY.get(c as usize).unwrap_or(&BASIC_LEGACY[usize::from(b'?')]);
            for (row, bits) in (0u32..).zip(glyph) {
                for column in (0..8u32).filter(|column| bits >> column & 1 == 1) {
                    let x = left + index as u32 * CHAR_WIDTH + column;
                    self.fill((x * SCALE, (top + row) * SCALE), (SCALE, SCALE), color);
                }
            }
        }
    }
}
