//! What a receipt says of a video's pictures, and which bytes an index is for.

use crate::program::longsight;
use crate::video::{clip, ffmpeg};
use longsight_testkit::golden::checkpoint_dir;
use serde_json::{Value, json};
use std::path::Path;

fn ask(video: &Path, flags: &str) -> Value {
    let ask = longsight("ask").arg(video).arg("What?").arg("--model").arg(checkpoint_dir("d32-gqa-tied"));
    ask.args("--frames 2 --max-new-tokens 1 --json").args(flags).json()["receipt"].clone()
}

#[test]
fn the_receipt_says_what_the_probe_knows() {
    let folder = tempfile::tempdir().unwrap();
    let tagged = folder.path().join("tagged.mkv");
    ffmpeg(
        "-i {} -an -c:v libx264 -vf setsar=4/3,setfield=tff -flags +ilme+ildct -color_trc smpte2084 {}",
        &[clip(), &tagged],
    );
    let receipt = ask(&tagged, "");
    let video = &receipt["video"];
    assert_eq!(video["color_transfer"], "smpte2084");
    assert_eq!(video["pixel_aspect"], "4:3");
    assert!(["tt", "tb"].contains(&video["field_order"].as_str().unwrap()), "{video}");
    assert_eq!((&video["rotation_degrees"], &video["colour"]), (&json!(0), &json!("reference")));
    let warnings = receipt["warnings"].as_array().unwrap();
    for part in ["is not tone-mapped", "pixels are not square (4:3)", "is not deinterlaced"] {
        assert!(
            warnings.iter().any(|warning| warning.as_str().unwrap().contains(part)),
            "{part}: {warnings:?}"
        );
    }
    let plain = ask(clip(), "");
    assert!(!plain["warnings"].to_string().contains("video"), "{}", plain["warnings"]);
    assert_eq!(
        (&plain["video"]["color_transfer"], &plain["video"]["pixel_aspect"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn an_index_is_for_one_conversion_of_colours() {
    let folder = tempfile::tempdir().unwrap();
    let with = |flags: &str| {
        let place = format!("--index embeddings --index-dir {} {flags}", folder.path().display());
        let receipt = ask(clip(), &place);
        (receipt["index"]["embeddings"].clone(), receipt["video"]["scaler_flags"].clone())
    };
    let accurate = "bicubic+accurate_rnd+full_chroma_int+bitexact";
    assert_eq!(with(""), (json!("written"), json!("bilinear")));
    assert_eq!(with("--colour accurate"), (json!("written"), json!(accurate)));
    assert_eq!(with("--colour reference"), (json!("read"), json!("bilinear")));
    assert_eq!(with("--colour accurate"), (json!("read"), json!(accurate)));
    let error = longsight("ask").arg(clip()).args("What? --colour vivid").run().failed(2);
    assert!(error.contains("reference") && error.contains("accurate"), "{error}");
}

/// A JPEG of these pixels that EXIF turns by a quarter, as telephones write upright photographs.
pub fn photo(width: u32, height: u32) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    ffmpeg(&format!("-f lavfi -i testsrc2=s={width}x{height} -frames:v 1 {{}}"), &[&path]);
    let jpeg = std::fs::read(path).unwrap();
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    [&jpeg[..2], exif, &jpeg[2..]].concat()
}

#[test]
fn a_photo_of_a_folder_stands_upright_and_what_is_left_out_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jpg"), photo(64, 32)).unwrap();
    std::fs::write(folder.path().join("a.cr2"), "raw").unwrap();
    let receipt = ask(folder.path(), "");
    assert_eq!((&receipt["video"]["width"], &receipt["video"]["height"]), (&json!(32), &json!(64)));
    let left_out = "1 of the folder's 2 entries are pictures; left out: a.cr2";
    assert!(receipt["warnings"].as_array().unwrap().contains(&json!(left_out)), "{}", receipt["warnings"]);
}
