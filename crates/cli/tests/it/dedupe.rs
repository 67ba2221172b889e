//! `--dedupe` on a video with still scenes.

use crate::program::{Program, assert_names, frames, longsight};
use crate::video::ffmpeg;
use serde_json::Value;
use std::path::PathBuf;

/// Five pictures, each four frames long, without loss.
fn slides() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slides.mkv");
    let source = "-f lavfi -i testsrc2=size=96x64:rate=1:duration=5 -vf fps=4 -c:v ffv1 -pix_fmt yuv420p {}";
    ffmpeg(source, &[&path]);
    (folder, path)
}

fn ask(video: &PathBuf, flags: &str) -> Program {
    longsight("ask").arg(video).arg("Which card is shown?").args("--frames 20 --max-new-tokens 8").args(flags)
}

#[test]
fn still_scenes_are_encoded_once_and_answered_the_same() {
    let (_folder, video) = slides();
    for dtype in ["--dtype f32", "--dtype q8_0"] {
        same_answers(|flags| {
            ask(&video, flags).args("--ignore-eos --logprobs all --quiet").args(dtype).json()
        });
    }
}

fn same_answers(run: impl Fn(&str) -> Value) {
    let off = run("--dedupe off");
    assert_eq!(off["receipt"]["dedupe"]["encoded_frames"], 20);
    let said =
        |run: &Value| (run["token_ids"].clone(), run["first_token_logprobs"].clone(), run["answer"].clone());
    assert!(said(&off).0.as_array().is_some_and(|ids| ids.len() == 8));
    assert!(said(&off).1.as_array().is_some_and(|all| all.len() > 8));
    for flags in ["", "--dedupe exact --encode-batch 3", "--dedupe off --encode-batch 1"] {
        let other = run(flags);
        assert_eq!(said(&other), said(&off), "{flags}");
        assert_eq!(other["receipt"]["tokens"], off["receipt"]["tokens"]);
        if !flags.contains("off") {
            let dedupe = &other["receipt"]["dedupe"];
            let expected = serde_json::json!({"setting": "exact", "encoded_frames": 5, "reused_frames": 15});
            assert_eq!(*dedupe, expected);
            let encoded =
                frames(&other["receipt"]["frames"], "reused").iter().filter(|r| r.is_null()).count();
            assert_eq!(encoded, 5);
        }
    }
    let all = run("--dedupe 255");
    assert_eq!(
        (&all["receipt"]["dedupe"]["encoded_frames"], &all["receipt"]["dedupe"]["setting"]),
        (&1.into(), &"255".into())
    );
}

#[test]
fn the_summary_counts_them() {
    let (_folder, video) = slides();
    assert_names(&ask(&video, "").run().succeeded().stderr, &["15 of them re-used (--dedupe exact)"]);
    let off = ask(&video, "--dedupe off").run().succeeded().stderr;
    assert!(!off.contains("re-used"), "{off}");
}
