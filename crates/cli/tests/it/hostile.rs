//! Bad input, each with one clear line and a non-zero exit.

use crate::checkpoint::{Checkpoint, remove_tensor};
use crate::program::{Outcome, Program, ask, assert_names, longsight};
use crate::video::{clip, clip_bytes, damaged_pictures, ffmpeg, file};
use longsight_testkit::golden::checkpoint_dir;
use std::path::Path;

const CASE: &str = "d32-gqa-tied";

/// Four frames of the clip.
fn good() -> Program {
    ask(clip(), CASE).args("--frames 4")
}

/// The message for a video of these bytes; it names the file.
fn refused_video(name: &str, bytes: &[u8]) -> String {
    let (_folder, path) = file(name, bytes);
    let message = ask(&path, CASE).failure();
    assert_names(&message, &[path.to_str().unwrap()]);
    message
}

/// The message for a checkpoint folder; it names the folder.
fn refused_checkpoint(checkpoint: &Checkpoint) -> String {
    let program = longsight("ask").arg(clip()).args("hi --quiet --frames 2 --model").arg(checkpoint.path());
    let message = program.failure();
    assert_names(&message, &[checkpoint.path().to_str().unwrap()]);
    message
}

#[test]
fn missing_video() {
    assert_names(&ask("no/such.mp4", CASE).failure(), &["no/such.mp4", "no such file"]);
}

#[test]
fn empty_file() {
    assert_names(&refused_video("v.mp4", b""), &["empty"]);
}

#[test]
fn text_renamed_mp4() {
    assert_names(&refused_video("v.mp4", &b"To be, or not to be.\n".repeat(50)), &["not a video"]);
}

#[test]
fn truncated_mp4() {
    let bytes = clip_bytes();
    assert_names(&refused_video("v.mp4", &bytes[..bytes.len() / 2]), &["truncated", "moov"]);
}

#[test]
fn audio_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.wav");
    ffmpeg("-f lavfi -i sine=duration=1 {}", &[&path]);
    let message = ask(&path, CASE).failure();
    assert_names(&message, &[path.to_str().unwrap(), "no video stream", "audio"]);
}

#[test]
fn no_picture_can_be_decoded() {
    assert_names(&refused_video("v.mp4", &damaged_pictures()), &["no frame", "decoded"]);
}

#[test]
fn a_playlist_that_names_another_file() {
    let playlist = format!("#EXTM3U\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n", clip().display());
    refused_video("v.m3u8", playlist.as_bytes());
    refused_video("v.mp4", format!("ffconcat version 1.0\nfile {}\n", clip().display()).as_bytes());
}

#[test]
fn a_url_without_permission() {
    let message = ask("https://me:secret@127.0.0.1:9/v.mp4", CASE).failure();
    assert_names(&message, &["https://127.0.0.1:9/v.mp4", "--allow-url"]);
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn a_folder_without_images() {
    let folder = tempfile::tempdir().unwrap();
    let message = ask(folder.path(), CASE).failure();
    assert_names(&message, &[folder.path().to_str().unwrap(), "no image"]);
}

#[test]
fn an_image_that_is_none() {
    let (folder, path) = file("a.png", "not a picture");
    assert_names(&ask(folder.path(), CASE).failure(), &[path.to_str().unwrap()]);
}

#[test]
fn a_missing_tensor() {
    let checkpoint = Checkpoint::copy(CASE);
    let name = "language_model.model.layers.1.post_attention_layernorm.weight";
    checkpoint.edit_weights(|header, data| remove_tensor(name, header, data));
    assert_names(&refused_checkpoint(&checkpoint), &[name, "missing"]);
}

#[test]
fn a_tensor_of_another_shape() {
    let checkpoint = Checkpoint::copy(CASE);
    let name = "language_model.model.layers.0.mlp.up_proj.weight";
    checkpoint.edit_weights(|header, _| header[name]["shape"].as_array_mut().unwrap().reverse());
    assert_names(&refused_checkpoint(&checkpoint), &[name, "shape"]);
}

#[test]
fn truncated_weights() {
    let checkpoint = Checkpoint::copy(CASE);
    let path = checkpoint.file("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1000]).unwrap();
    assert_names(&refused_checkpoint(&checkpoint), &["model.safetensors"]);
}

#[test]
fn a_lost_shard() {
    let checkpoint = Checkpoint::copy("d64-mha-sharded");
    std::fs::remove_file(checkpoint.file("model-00003-of-00008.safetensors")).unwrap();
    assert_names(&refused_checkpoint(&checkpoint), &["model-00003-of-00008.safetensors"]);
}

#[test]
fn a_config_of_another_family() {
    let checkpoint = Checkpoint::copy(CASE);
    checkpoint.edit_config(|config| config["model_type"] = "qwen2_vl".into());
    assert_names(&refused_checkpoint(&checkpoint), &["config.json", "qwen2_vl"]);
}

#[test]
fn a_config_that_is_no_json() {
    let checkpoint = Checkpoint::copy(CASE);
    std::fs::write(checkpoint.file("config.json"), "{\n\"model_type\":\n").unwrap();
    assert_names(&refused_checkpoint(&checkpoint), &["config.json"]);
}

#[test]
fn a_lost_tokenizer() {
    let checkpoint = Checkpoint::copy(CASE);
    std::fs::remove_file(checkpoint.file("tokenizer.json")).unwrap();
    assert_names(&refused_checkpoint(&checkpoint), &["tokenizer.json"]);
}

#[test]
fn a_model_that_is_neither_folder_nor_hub_name() {
    for name in ["nowhere", "a/b/c", "../up/x"] {
        let message = longsight("ask").arg(clip()).args("hi --quiet --model").arg(name).failure();
        assert_names(&message, &[name, "neither a folder nor a hub name"]);
    }
}

#[test]
fn a_model_folder_without_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let message = longsight("ask").arg(clip()).args("hi --quiet --model").arg(folder.path()).failure();
    assert_names(&message, &[folder.path().to_str().unwrap(), "config.json"]);
}

#[test]
fn subtitles_that_cannot_be_read() {
    assert_names(&good().args("--subtitles none.srt").failure(), &["none.srt", "no such file"]);
    for text in ["", "hello\n", "\u{0}\u{1}\u{2}"] {
        let (_folder, path) = file("talk.srt", text);
        let message = good().arg("--subtitles").arg(&path).failure();
        assert_names(&message, &[path.to_str().unwrap()]);
    }
    assert_names(&good().args("--subtitles embedded").failure(), &["clip.mp4", "subtitle stream"]);
}

#[test]
fn a_history_that_is_none() {
    let user = r#"{"role":"user","content":"a"}"#;
    let assistant = r#"{"role":"assistant","content":"b"}"#;
    for (text, reason) in [
        ("not JSON".to_owned(), "JSON"),
        ("{}".to_owned(), "JSON list"),
        (r#"[{"role":"narrator","content":"a"}]"#.to_owned(), "narrator"),
        (format!("[{user}]"), "end with the assistant"),
        (format!("[{assistant}]"), "begin with the user"),
        (format!("[{user},{assistant},{assistant},{user}]"), "alternate"),
    ] {
        let (_folder, path) = file("history.json", text);
        let message = good().arg("--history").arg(&path).failure();
        assert_names(&message, &[path.to_str().unwrap(), reason]);
    }
    assert_names(&good().args("--history none.json").failure(), &["none.json"]);
}

#[test]
fn too_little_memory_names_the_nearest_setting_and_it_works() {
    let total = |flags: &str| {
        let plan =
            longsight("plan").arg(clip()).arg("What happens?").arg("--model").arg(checkpoint_dir(CASE));
        let plan = plan.args("--dtype f32 --max-new-tokens 6").args(flags).json();
        plan["memory_total_bytes"].as_u64().unwrap()
    };
    for (wanted, small, flag) in [
        ("--frames 30", "--frames 9", "--frames 9"),
        ("--fps 10", "--fps 10 --max-frames 9", "--max-frames 9"),
        ("--frames 2 --pool uniform,1", "--frames 1 --pool uniform,2", "--frames 1 --pool uniform,2"),
    ] {
        let allowed = total(small).to_string();
        let limited = |flags: &str| ask(clip(), CASE).args(flags).arg("--memory").arg(&allowed);
        let message = limited(wanted).failure();
        assert_names(&message, &["--memory", "nearest that fits", flag]);
        let rate = if wanted.starts_with("--fps") { "--fps 10 " } else { "" };
        let answer = limited(&format!("{rate}{flag}")).json();
        assert!(
            answer["receipt"]["memory_estimate_total_bytes"].as_u64().unwrap() <= allowed.parse().unwrap()
        );
    }
    assert_names(&good().args("--memory 1MiB").failure(), &["1 MiB", "not even one frame"]);
}

/// Writes to /dev/full fail as writes to a full disk do.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full() {
    for flags in ["", "--json"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = good().args(flags).command().stdout(full).output().unwrap();
        assert_names(&Outcome::from(output).failed(1), &["standard output", "space"]);
    }
}

#[test]
fn a_hostile_name_stays_on_one_line() {
    let message = ask(Path::new("line\nlongsight: all is well\u{1b}[2J"), CASE).failure();
    assert!(!message.contains('\u{1b}'), "{message:?}");
}
