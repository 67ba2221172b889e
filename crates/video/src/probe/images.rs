//! A folder of images as pre-sampled frames.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::{Content, FrameCountSource, ProbeSettings, StillFile, VideoInfo, probe_video};
use crate::error::{Result, VideoError};
use crate::source::VideoSource;
use crate::still::{self, PictureFormat};
use crate::time::MediaTime;

/// So many names of a kind are told.
const MAX_NAMES: usize = 5;

pub(super) fn probe_images(folder: &Path, settings: &ProbeSettings) -> Result<VideoInfo> {
    let fps = settings.image_fps;
    if !(fps.is_finite() && fps > 0.0) {
        return Err(VideoError::BadFps { fps });
    }
    let listing = list_images(folder, settings.max_frames)?;
    let mut remarks = Remarks::default();
    let mut files = Vec::with_capacity(listing.pictures.len());
    let mut first_size = None;
    for path in listing.pictures {
        let (file, size) = probe_image(path, settings, &mut remarks)?;
        first_size.get_or_insert(size);
        files.push(file);
    }
    let (width, height) = first_size
        .ok_or_else(|| VideoError::NoImages { path: folder.to_owned(), others: several(&listing.others) })?;
    let codec = files[0].path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    Ok(VideoInfo {
        source: VideoSource::Images(folder.to_owned()),
        format: "images".to_owned(),
        duration_secs: files.len() as f64 / fps,
        header_duration_secs: None,
        width,
        height,
        rotation_degrees: 0,
        is_mirrored: false,
        sample_aspect_ratio: None,
        codec: codec.unwrap_or_default(),
        pixel_format: None,
        color_transfer: None,
        color_matrix: None,
        color_range: None,
        field_order: None,
        average_fps: fps,
        container_start_secs: 0.0,
        total_frames: files.len(),
        frame_count_source: FrameCountSource::ImageFiles,
        subtitle_streams: Vec::new(),
        has_audio: false,
        warnings: remarks.warnings(&listing.others, files.len()),
        frame_times: (0..files.len()).map(|index| MediaTime::from_secs(index as f64 / fps)).collect(),
        keyframes: (0..files.len()).collect(),
        content: Content::Images(files.into()),
        max_pixels: settings.max_pixels,
    })
}

/// What a folder holds.
struct Listing {
    pictures: Vec<PathBuf>,
    /// Names of what is not taken; hidden files are not named.
    others: Vec<String>,
}

fn list_images(folder: &Path, max_frames: usize) -> Result<Listing> {
    let failed = |source| VideoError::Io { what: folder.display().to_string(), source };
    let (mut pictures, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = file_name(&path);
        if name.starts_with('.') {
            continue;
        }
        match path.is_file() {
            true if is_image_name(&path) => pictures.push(path),
            true => others.push(name),
            false => others.push(name + "/"),
        }
        if pictures.len() > max_frames {
            return Err(VideoError::TooManyFrames { source_name: folder.display().to_string(), max_frames });
        }
    }
    pictures.sort_by(|a, b| natural_order(&file_name(a), &file_name(b)));
    others.sort_by(|a, b| natural_order(a, b));
    Ok(Listing { pictures, others })
}

fn is_image_name(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| PictureFormat::EXTENSIONS.contains(&extension.as_str()))
}

/// What is not shown of a folder's pictures, by their names.
#[derive(Default)]
struct Remarks {
    grey_16: Vec<String>,
    animated: Vec<String>,
    /// What the probe says of those that ffmpeg decodes.
    others: Vec<String>,
}

impl Remarks {
    fn warnings(self, left_out: &[String], taken: usize) -> Vec<String> {
        let all = taken + left_out.len();
        let left_out = (!left_out.is_empty()).then(|| {
            format!("{taken} of the folder's {all} entries are pictures; left out: {}", several(left_out))
        });
        let grey = (!self.grey_16.is_empty()).then(|| {
            format!(
                "16-bit grey is clipped at 255, as Pillow does, so that most of it may be white: {}",
                several(&self.grey_16)
            )
        });
        let animated = (!self.animated.is_empty()).then(|| {
            format!("of an animation, only the first picture is taken: {}", several(&self.animated))
        });
        [left_out, grey, animated].into_iter().flatten().chain(self.others).collect()
    }
}

/// The first few names.
fn several(names: &[String]) -> String {
    let mut text = names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES {
        text.push_str(&format!(" and {} more", names.len() - MAX_NAMES));
    }
    text
}

/// A picture with its size as it stands upright.
fn probe_image(
    path: PathBuf,
    settings: &ProbeSettings,
    remarks: &mut Remarks,
) -> Result<(StillFile, (u32, u32))> {
    if PictureFormat::of_file(&path).is_some_and(PictureFormat::is_for_ffmpeg) {
        let video = probe_video(&VideoSource::File(path.clone()), settings)?;
        if video.total_frames > 1 {
            remarks.animated.push(file_name(&path));
        }
        remarks
            .others
            .extend(video.warnings.iter().map(|warning| format!("{}: {warning}", file_name(&path))));
        let size = (video.width, video.height);
        return Ok((StillFile { path, video: Some(video.into()) }, size));
    }
    let bad = |detail: String| VideoError::BadImage { path: path.clone(), detail };
    let header = still::read_header(&path).map_err(|error| bad(error.to_string()))?;
    let (width, height) = header.size;
    if width == 0 || height == 0 {
        return Err(bad("it has no pixels".to_owned()));
    }
    if u64::from(width) * u64::from(height) > settings.max_pixels {
        return Err(VideoError::TooManyPixels {
            source_name: path.display().to_string(),
            width: width.into(),
            height: height.into(),
            max_pixels: settings.max_pixels,
        });
    }
    if header.is_grey_16 {
        remarks.grey_16.push(file_name(&path));
    }
    if header.is_animated {
        remarks.animated.push(file_name(&path));
    }
    Ok((StillFile { path, video: None }, header.size))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
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
