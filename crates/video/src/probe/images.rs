//! A folder of images as pre-sampled frames.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::{Content, FrameCountSource, ProbeSettings, VideoInfo};
use crate::error::{Result, VideoError};
use crate::source::VideoSource;
use crate::time::MediaTime;

const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

pub(super) fn probe_images(folder: &Path, settings: &ProbeSettings) -> Result<VideoInfo> {
    let fps = settings.image_fps;
    if !(fps.is_finite() && fps > 0.0) {
        return Err(VideoError::BadFps { fps });
    }
    let paths = list_images(folder, settings.max_frames)?;
    let mut first_size = None;
    for path in &paths {
        let size = image_size(path, settings.max_pixels)?;
        first_size.get_or_insert(size);
    }
    let (width, height) = first_size.ok_or_else(|| VideoError::NoImages { path: folder.to_owned() })?;
    let codec = paths[0].extension().map(|extension| extension.to_string_lossy().to_lowercase());
    Ok(VideoInfo {
        source: VideoSource::Images(folder.to_owned()),
        format: "images".to_owned(),
        duration_secs: paths.len() as f64 / fps,
        header_duration_secs: None,
        width,
        height,
        rotation_degrees: 0,
        sample_aspect_ratio: None,
        codec: codec.unwrap_or_default(),
        pixel_format: None,
        color_transfer: None,
        average_fps: fps,
        container_start_secs: 0.0,
        total_frames: paths.len(),
        frame_count_source: FrameCountSource::ImageFiles,
        subtitle_streams: Vec::new(),
        has_audio: false,
        warnings: Vec::new(),
        frame_times: (0..paths.len()).map(|index| MediaTime::from_secs(index as f64 / fps)).collect(),
        keyframes: (0..paths.len()).collect(),
        content: Content::Images(paths.into()),
        max_pixels: settings.max_pixels,
    })
}

fn list_images(folder: &Path, max_frames: usize) -> Result<Vec<PathBuf>> {
    let failed = |source| VideoError::Io { what: folder.display().to_string(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_image_name(&path) && path.is_file() {
            paths.push(path);
        }
        if paths.len() > max_frames {
            return Err(VideoError::TooManyFrames { source_name: folder.display().to_string(), max_frames });
        }
    }
    paths.sort_by(|a, b| natural_order(&file_name(a), &file_name(b)));
    Ok(paths)
}

fn is_image_name(path: &Path) -> bool {
    let hidden = file_name(path).starts_with('.');
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    !hidden && extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads the header alone.
fn image_size(path: &Path, max_pixels: u64) -> Result<(u32, u32)> {
    let bad = |detail: String| VideoError::BadImage { path: path.to_owned(), detail };
    let reader = image::ImageReader::open(path).and_then(|reader| reader.with_guessed_format());
    let (width, height) = reader
        .map_err(|error| bad(error.to_string()))?
        .into_dimensions()
        .map_err(|error| bad(error.to_string()))?;
    if width == 0 || height == 0 {
        return Err(bad("it has no pixels".to_owned()));
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(VideoError::TooManyPixels {
            source_name: path.display().to_string(),
            width: width.into(),
            height: height.into(),
            max_pixels,
        });
    }
    Ok((width, height))
}

/// Runs of digits compare as numbers: `frame2` before `frame10`. Equal numbers: fewer leading zeros first.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&x), Some(&y)) = (left.first(), right.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number_left, number_right) = (take_number(&mut left), take_number(&mut right));
            number_left.len().cmp(&number_right.len()).then_with(|| number_left.cmp(number_right))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            x.cmp(&y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.len().cmp(&b.len())).then_with(|| a.cmp(b))
}

/// Takes the leading digits off, and returns them without leading zeros.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    *text = rest;
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_count() {
        let sorted =
            ["1", "01", "2", "10", "a1b2", "a1b10", "a2", "frame2.png", "frame10.png", "frame10a.png"];
        let mut names = sorted.to_vec();
        names.reverse();
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, sorted);
        let long = "9".repeat(400);
        assert_eq!(natural_order(&long, "10"), Ordering::Greater);
    }
}
