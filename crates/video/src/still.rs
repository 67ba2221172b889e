//! One picture file: what it is, how it stands upright, and its pixels as Pillow gives them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader, ImageResult, Limits, RgbImage};

use crate::chunks::{has_two_gif_pictures, is_animated_webp, png_chunk};

/// Bytes that decoding one image may take, for each of its pixels: 16-bit RGBA twice over.
const MAX_BYTES_A_PIXEL: u64 = 16;
/// Picture files that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// GIF.
    Gif,
    /// TIFF.
    Tiff,
    /// AVIF, which ffmpeg decodes.
    Avif,
    /// HEIC and its like, which ffmpeg decodes where it is new enough.
    Heic,
}

impl PictureFormat {
    /// First bytes that are enough to know every format by.
    pub const HEAD_BYTES: u64 = 32;
    /// What files of these formats are called, in lower case.
    pub const EXTENSIONS: [&'static str; 12] =
        ["png", "jpg", "jpeg", "jfif", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic", "heif"];

    /// By a file's first bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'B', b'M', ..] => Some(Self::Bmp),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
                b"avif" | b"avis" => Some(Self::Avif),
                b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                    Some(Self::Heic)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// What such a file is usually called.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Bmp => "bmp",
            Self::Gif => "gif",
            Self::Tiff => "tif",
            Self::Avif => "avif",
            Self::Heic => "heic",
        }
    }

    /// What a file holds; None for one that cannot be read too.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        Self::of(&head(path).ok()?)
    }

    /// Whether ffmpeg decodes it.
    pub(crate) const fn is_for_ffmpeg(self) -> bool {
        matches!(self, Self::Avif | Self::Heic)
    }
}

/// What a picture's header says.
pub(crate) struct PictureHeader {
    /// Width and height as it stands upright.
    pub(crate) size: (u32, u32),
    /// Grey of 16 bits, of which Pillow keeps values up to 255.
    pub(crate) is_grey_16: bool,
    /// More than one picture; the first is taken.
    pub(crate) is_animated: bool,
}

/// Reads no pixels.
pub(crate) fn read_header(path: &Path) -> ImageResult<PictureHeader> {
    let mut decoder = decoder(path, None)?;
    let (width, height) = decoder.dimensions();
    let swaps = swaps_sides(orientation(path, &mut decoder));
    Ok(PictureHeader {
        size: if swaps { (height, width) } else { (width, height) },
        is_grey_16: decoder.color_type() == ColorType::L16,
        is_animated: is_animated(path),
    })
}

/// The first picture of a file, upright, as Pillow's `ImageOps.exif_transpose(image).convert("RGB")` gives it: transparency
/// is dropped, grey of 16 bits is clipped, colours of 16 bits keep their upper 8.
pub(crate) fn read(path: &Path, max_pixels: u64) -> ImageResult<RgbImage> {
    let mut decoder = decoder(path, Some(max_pixels))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > max_pixels {
        let too_large = image::error::LimitErrorKind::DimensionError;
        return Err(image::ImageError::Limits(image::error::LimitError::from_kind(too_large)));
    }
    let orientation = orientation(path, &mut decoder);
    let mut image = DynamicImage::ImageRgb8(to_rgb(DynamicImage::from_decoder(decoder)?));
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

fn decoder(path: &Path, max_pixels: Option<u64>) -> ImageResult<impl ImageDecoder> {
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    if let Some(max_pixels) = max_pixels {
        let mut limits = Limits::default();
        limits.max_alloc = Some(max_pixels.saturating_mul(MAX_BYTES_A_PIXEL));
        reader.limits(limits);
    }
    reader.into_decoder()
}

fn to_rgb(image: DynamicImage) -> RgbImage {
    let upper = |level: u16| (level >> 8) as u8;
    match image {
        DynamicImage::ImageLuma16(grey) => {
            let clipped = |[level]: [u16; 1]| [level.min(255) as u8; 3];
            RgbImage::from_fn(grey.width(), grey.height(), |x, y| clipped(grey.get_pixel(x, y).0).into())
        }
        DynamicImage::ImageLumaA16(grey) => {
            let of = |[level, _]: [u16; 2]| [upper(level); 3];
            RgbImage::from_fn(grey.width(), grey.height(), |x, y| of(grey.get_pixel(x, y).0).into())
        }
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_) => {
            let deep = image.into_rgb16();
            RgbImage::from_fn(deep.width(), deep.height(), |x, y| deep.get_pixel(x, y).0.map(upper).into())
        }
        other => other.into_rgb8(),
    }
}

/// What EXIF says. Where that is broken or says nothing, a picture is taken as it lies.
fn orientation(path: &Path, decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten().or_else(|| exif_elsewhere(path));
    let tiff = exif.as_deref().map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
    tiff.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// EXIF that the decoders do not look for: a TIFF file is EXIF itself, and a PNG's may stand after its pixels.
fn exif_elsewhere(path: &Path) -> Option<Vec<u8>> {
    match PictureFormat::of_file(path)? {
        PictureFormat::Tiff => std::fs::read(path).ok(),
        PictureFormat::Png => png_chunk(path, b"eXIf"),
        _ => None,
    }
}

fn is_animated(path: &Path) -> bool {
    let Ok(head) = head(path) else { return false };
    match PictureFormat::of(&head) {
        Some(PictureFormat::Png) => png_chunk(path, b"acTL").is_some(),
        Some(PictureFormat::Gif) => has_two_gif_pictures(path),
        Some(PictureFormat::WebP) => is_animated_webp(&head),
        _ => false,
    }
}

/// A file's first bytes.
pub(crate) fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(PictureFormat::HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}
