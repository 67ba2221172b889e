//! Picture files: formats, orientation, depth, animations.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ImageBuffer, ImageEncoder, Luma, LumaA, Rgb, RgbImage};
use longsight_video::{ProbeSettings, VideoSource, probe};

use crate::images::{probe_folder, save};
use crate::synth::{decode, ffmpeg, has_encoder, uniform};

/// EXIF with nothing but an orientation, big-endian.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif
}

/// A grey TIFF without compression.
fn tiff(picture: &RgbImage, orientation: u16) -> Vec<u8> {
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    let pixels: Vec<u8> = picture.pixels().map(|pixel| pixel.0[0]).collect();
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let entries =
        [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 0), (274, orientation), (277, 1)];
    let entries = entries.into_iter().chain([(278, height), (279, pixels.len() as u16)]);
    let start = 8 + 2 + 10 * 12 + 4;
    bytes.extend(10_u16.to_le_bytes());
    for (tag, value) in entries {
        let value = if tag == 273 { start } else { value };
        for part in [tag, 3, 1, 0, value, 0] {
            bytes.extend(u16::to_le_bytes(part));
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(pixels);
    bytes
}

/// Moves a PNG's `eXIf` chunk to after its pixels, where it may stand too.
fn exif_last(png: &[u8]) -> Vec<u8> {
    let chunk = png.windows(4).position(|name| name == b"eXIf").unwrap() - 4;
    let end = chunk + 12 + u32::from_be_bytes(png[chunk..chunk + 4].try_into().unwrap()) as usize;
    let last = png.len() - 12;
    [&png[..chunk], &png[end..last], &png[chunk..end], &png[last..]].concat()
}

/// The stored pixel that an orientation shows at a column and row.
fn stored_at(orientation: u8, (x, y): (u32, u32), (width, height): (u32, u32)) -> (u32, u32) {
    let (right, bottom) = (width - 1, height - 1);
    match orientation {
        2 => (right - x, y),
        3 => (right - x, bottom - y),
        4 => (x, bottom - y),
        5 => (y, x),
        6 => (y, bottom - x),
        7 => (right - y, bottom - x),
        8 => (right - y, x),
        _ => (x, y),
    }
}

#[test]
fn pictures_of_every_kind_stand_upright_in_all_eight_ways() {
    // Blocks of 8 x 8, which JPEG keeps apart.
    let picture = RgbImage::from_fn(24, 16, |x, y| Rgb([(40 * (x / 8) + 110 * (y / 8)) as u8; 3]));
    let (pixels, size) = (picture.as_raw(), picture.dimensions());
    for orientation in 1..=8 {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        let (mut png, mut jpeg, mut webp) = (Vec::new(), Vec::new(), Vec::new());
        let colour = image::ExtendedColorType::Rgb8;
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(pixels, size.0, size.1, colour).unwrap();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(pixels, size.0, size.1, colour).unwrap();
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata([b"Exif\0\0".to_vec(), exif(orientation)].concat()).unwrap();
        encoder.write_image(pixels, size.0, size.1, colour).unwrap();
        write("1.png", &png);
        write("2.png", &exif_last(&png));
        write("3.jpg", &jpeg);
        write("4.webp", &webp);
        write("5.tif", &tiff(&picture, orientation.into()));
        let info = probe_folder(folder.path(), &ProbeSettings::default()).unwrap();
        let (width, height) = if orientation > 4 { (size.1, size.0) } else { size };
        assert_eq!((info.width, info.height), (width, height), "orientation {orientation}");
        for frame in decode(&info, &uniform(5)) {
            assert_eq!((frame.width, frame.height), (width, height), "{orientation}: {frame:?}");
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let (column, row) = stored_at(orientation, (x, y), size);
                let (seen, stored) = (frame.rgb[((y * width + x) * 3) as usize], picture[(column, row)].0[0]);
                assert!(seen.abs_diff(stored) < 4, "{orientation}, {frame:?}: {seen} for {stored}");
            }
        }
    }
}

/// As Pillow's `convert("RGB")`: grey of 16 bits is clipped, what has alpha or colour keeps its upper 8 bits.
#[test]
fn sixteen_bits_become_eight_as_in_pillow() {
    let folder = tempfile::tempdir().unwrap();
    let levels = [0_u16, 1, 127, 255, 256, 0x1234, 65_535];
    let width = levels.len() as u32;
    let path = |name: &str| folder.path().join(name);
    ImageBuffer::from_fn(width, 1, |x, _| Luma([levels[x as usize]])).save(path("1.png")).unwrap();
    ImageBuffer::from_fn(width, 1, |x, _| LumaA([levels[x as usize], 9])).save(path("2.png")).unwrap();
    ImageBuffer::from_fn(width, 1, |x, _| Rgb([levels[x as usize]; 3])).save(path("3.png")).unwrap();
    ImageBuffer::from_fn(width, 1, |x, _| Luma([levels[x as usize]])).save(path("4.tif")).unwrap();
    let info = probe_folder(folder.path(), &ProbeSettings::default()).unwrap();
    let (clipped, upper) = ([0, 1, 127, 255, 255, 255, 255], [0, 0, 0, 0, 1, 0x12, 255]);
    for (frame, expected) in decode(&info, &uniform(4)).iter().zip([clipped, upper, upper, clipped]) {
        let seen: Vec<u8> = frame.rgb.iter().step_by(3).copied().collect();
        assert_eq!(seen, expected, "{frame:?}");
    }
    let said = "16-bit grey is clipped at 255, as Pillow does, so that most of it may be white: 1.png, 4.tif";
    assert_eq!(info.warnings, [said]);
}

#[test]
fn common_formats_are_read_and_of_an_animation_the_first_picture() {
    let folder = tempfile::tempdir().unwrap();
    for (number, name) in ["0.bmp", "1.gif", "2.tif", "3.tiff", "4.jfif"].into_iter().enumerate() {
        let format = if name.ends_with("jfif") {
            image::ImageFormat::Jpeg
        } else {
            image::ImageFormat::from_path(name).unwrap()
        };
        let picture = RgbImage::from_pixel(24, 16, Rgb([20 * number as u8; 3]));
        picture.save_with_format(folder.path().join(name), format).unwrap();
    }
    let moving = "color=c=white:s=24x16:r=5:d=1,geq=lum='250-50*N':cb=128:cr=128";
    let make = |name: &str, args: &[&str]| {
        let path = folder.path().join(name);
        ffmpeg(&[&["-f", "lavfi", "-i", moving][..], args, &[path.to_str().unwrap()]].concat()).unwrap();
    };
    make("5.gif", &[]);
    make("6.png", &["-f", "apng", "-pix_fmt", "rgb24"]);
    let mut animated = vec!["5.gif", "6.png"];
    if has_encoder("libwebp_anim") {
        make("7.webp", &["-c:v", "libwebp_anim", "-lossless", "1"]);
        animated.push("7.webp");
    }
    let info = probe_folder(folder.path(), &ProbeSettings::default()).unwrap();
    let frames = decode(&info, &uniform(info.total_frames));
    let levels: Vec<u8> = frames.iter().map(|frame| frame.rgb[0]).collect();
    for (level, expected) in levels.into_iter().zip([0, 20, 40, 60, 80, 250, 250, 250]) {
        assert!(level.abs_diff(expected) < 25, "{level} for {expected}");
    }
    assert_eq!(
        info.warnings,
        [format!("of an animation, only the first picture is taken: {}", animated.join(", "))]
    );
}

#[test]
fn avif_is_read_by_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.avif");
    let picture = ["-f", "lavfi", "-i", "color=c=gray:s=64x32", "-frames:v", "1", "-c:v", "libaom-av1"];
    let args = [&picture[..], &["-still-picture", "1", "-cpu-used", "8", path.to_str().unwrap()]].concat();
    if ffmpeg(&args).is_err() {
        return eprintln!("skipped: this ffmpeg writes no AVIF");
    }
    save(folder.path(), "b.png", (8, 8), 7);
    let info = probe_folder(folder.path(), &ProbeSettings::default()).unwrap();
    assert_eq!((info.width, info.height, info.warnings.len()), (64, 32, 0), "{:?}", info.warnings);
    let frames = decode(&info, &uniform(2));
    assert_eq!((frames[0].width, frames[0].height, frames[1].rgb[0]), (64, 32, 7));
    assert!(frames[0].rgb.iter().all(|level| level.abs_diff(128) < 4));
}

#[test]
fn a_picture_in_place_of_a_video_is_refused_and_an_animation_is_one() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "a.jpg", (8, 8), 1);
    std::fs::write(folder.path().join("a.heic"), b"\0\0\0\x18ftypheic\0\0\0\0heic\0\0\0\0").unwrap();
    let path = |name: &str| folder.path().join(name);
    let moving = ["-f", "lavfi", "-i", "testsrc2=s=64x32:r=5:d=1"];
    let mut refused = vec![("a.jpg", "a single picture; give a folder"), ("a.heic", "its kind of HEIF")];
    if has_encoder("libwebp_anim") {
        ffmpeg(&[&moving[..], &["-c:v", "libwebp_anim", path("a.webp").to_str().unwrap()]].concat()).unwrap();
        refused.push(("a.webp", "an animated WebP, which ffmpeg does not decode"));
    }
    for (name, part) in refused {
        let source = VideoSource::from_path(&path(name));
        let error = probe(&source, &ProbeSettings::default()).unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{error}");
    }
    for name in ["a.gif", "a.apng"] {
        ffmpeg(&[&moving[..], &[path(name).to_str().unwrap()]].concat()).unwrap();
        let info = probe(&VideoSource::from_path(&path(name)), &ProbeSettings::default()).unwrap();
        assert_eq!(info.total_frames, 5, "{name}");
    }
}
