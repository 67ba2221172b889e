//! Prompts against the reference functions' output.

use longsight_eval::prompts::{PromptSettings, VideoFacts, build, list_literal, read_subtitles, videomme};
use longsight_eval::{EvalError, Profile, PromptKey, Sample, Task};
use proptest::prelude::*;
use serde_json::Value;
use std::path::PathBuf;

pub const FACTS: VideoFacts = VideoFacts { fps: 30.0, total_frames: 5400, duration_secs: 180.0 };

pub fn golden(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

pub fn sample(question: &Value, options: Vec<String>) -> Sample {
    Sample {
        id: "001-1".into(),
        row: 0,
        video_id: "v".into(),
        video: PathBuf::from("v.mp4"),
        subtitles: Some(PathBuf::from("v.srt")),
        question: question.as_str().unwrap().into(),
        options,
        gold: Some("A".into()),
        groups: Vec::new(),
        duration_secs: None,
        subtitle_offset_secs: 0.0,
        issues: Vec::new(),
    }
}

pub fn settings(task: Task, profile: Profile, key: PromptKey) -> PromptSettings {
    PromptSettings { task, profile, key, frames: 16 }
}

fn text(settings: PromptSettings, sample: &Sample) -> String {
    build(&settings, sample, &FACTS, None).unwrap().text
}

#[test]
fn videomme_equals_the_reference() {
    for case in golden(include_str!("../golden/videomme_prompts.json")).as_array().unwrap() {
        let sample = sample(&case["question"], texts(&case["options"]));
        for (profile, key, column) in [
            (Profile::VideoMme, PromptKey::Default, "default"),
            (Profile::VideoMme, PromptKey::Plm, "default"),
            (Profile::VideoMme03, PromptKey::GeminiApi, "default"),
            (Profile::VideoMme, PromptKey::Gpt4v, "gpt4v"),
            (Profile::VideoMme03, PromptKey::LlavaVid, "llava_vid"),
            (Profile::VideoMme, PromptKey::Qwen3Vl, "qwen3_vl"),
            (Profile::VideoMme022, PromptKey::Default, "legacy_v0.2.2_to_v0.2.4"),
            (Profile::VideoMme022, PromptKey::LlavaVid, "legacy_v0.2.2_to_v0.2.4"),
            (Profile::VideoMme020, PromptKey::Qwen3Vl, "legacy_v0.2.0"),
        ] {
            assert_eq!(
                text(settings(Task::VideoMme, profile, key), &sample),
                case[column],
                "{profile} {key}"
            );
        }
    }
}

#[test]
fn videomme_subtitles_equal_the_reference() {
    let golden = golden(include_str!("../golden/videomme_subtitle_prompts.json"));
    let sample = sample(&golden["question"], texts(&golden["options"]));
    let mut through_build = 0;
    for case in golden["cases"].as_array().unwrap() {
        let srt = case["srt"].as_str();
        let facts = VideoFacts {
            fps: case["fps"].as_f64().unwrap_or(1.0),
            total_frames: case["total_frames"].as_u64().unwrap_or(1) as usize,
            duration_secs: 1.0,
        };
        for prompt in case["prompts"].as_array().unwrap() {
            let key = prompt["variant"].as_str().unwrap().parse().unwrap();
            let settings = settings(Task::VideoMmeSubs, Profile::VideoMme, key);
            let expected = prompt["prompt"].as_str().unwrap();
            // Other numbers than the configured ones cannot be asked for: the parts are joined here.
            if let (Some(srt), Some(frames @ (8 | -1 | 768))) = (srt, prompt["frame_num"].as_i64()) {
                let frames = usize::try_from(frames).unwrap_or(facts.total_frames);
                let quoted = videomme::subtitles_at_frames(srt, &facts, frames).unwrap();
                assert_eq!(videomme::with_subtitles(&settings, &sample, &quoted), expected);
            }
            if !matches!((key, prompt["frame_num"].as_i64()), (PromptKey::Default, Some(8 | -1 | 768))) {
                assert_eq!(build(&settings, &sample, &facts, srt).unwrap().text, expected);
                through_build += 1;
            }
        }
    }
    assert!(through_build > 10, "{through_build}");
}

#[test]
fn llava_video_looks_for_subtitles_at_768_frames() {
    let golden = golden(include_str!("../golden/videomme_subtitle_prompts.json"));
    let sample = sample(&golden["question"], texts(&golden["options"]));
    let case = &golden["cases"][0];
    let key = |profile, key| {
        let settings = settings(Task::VideoMmeSubs, profile, key);
        build(&settings, &sample, &FACTS, case["srt"].as_str()).unwrap().text
    };
    let [by_32, by_768] = [0, 1].map(|i| case["prompts"][i]["prompt"].as_str().unwrap());
    assert_ne!(by_32, by_768);
    assert_eq!(key(Profile::VideoMme, PromptKey::LlavaVid), by_768);
    assert_eq!(key(Profile::VideoMme03, PromptKey::Default), by_32);
    let listed = by_32.replace(&sample.options.join("\n"), &list_literal(&sample.options));
    assert_eq!(
        key(Profile::VideoMme022, PromptKey::LlavaVid),
        listed,
        "the key is younger than that version"
    );
}

#[test]
fn subtitle_files_that_stop_the_reference_are_refused() {
    let sample = sample(&"q".into(), Vec::new());
    let ask = |srt: &str, profile| {
        build(&settings(Task::VideoMmeSubs, profile, PromptKey::Default), &sample, &FACTS, Some(srt))
    };
    for times in ["00:01 --> 00:02", "00:00:01.000 --> 00:00:02.000", "2", "x:00:00,000 --> 00:00:01,000"] {
        let srt = format!("1\n{times}\n<font color=\"white\" size=\".72c\">x</font>\n");
        let error = ask(&srt, Profile::VideoMme).unwrap_err();
        assert!(matches!(&error, EvalError::File { path, .. } if path.ends_with("v.srt")), "{error}");
        assert!(error.to_string().contains(times) && !error.to_string().contains('\n'), "{error}");
        assert!(ask(&srt, Profile::VideoMmeOfficial).is_ok(), "its own script skips what is no cue");
    }
    for harmless in ["", "\n\n\n", "1\n00:00", "\u{feff}", "1\n\nno times"] {
        assert!(ask(harmless, Profile::VideoMme).unwrap().text.starts_with("This video's subtitles"));
    }
}

#[test]
fn official_videomme_quotes_the_cue_at_the_middle_of_every_segment() {
    let sample = sample(&"Which?".into(), vec!["A. x".into(), "B. y".into()]);
    let settings = settings(Task::VideoMmeSubs, Profile::VideoMmeOfficial, PromptKey::Default);
    let tail = "Select the best answer to the following multiple-choice question based on the video. Respond with \
        only the letter (A, B, C, or D) of the correct option.\nWhich?\nA. x\nB. y\nThe best answer is:";
    assert_eq!(build(&settings, &sample, &FACTS, None).unwrap().text, tail);
    // 10 frames a second, 101 frames in 4 segments: frames 12 (25 / 2), 37, 62 and 87.
    let settings = PromptSettings { frames: 4, ..settings };
    let facts = VideoFacts { fps: 10.0, total_frames: 101, duration_secs: 10.1 };
    let srt = "1\r\n00:00:01,200 --> 00:00:02,000\r\nstarts at the frame\r\n\r\n\
        2\r\n00:00:03,000 --> 00:00:07,000\r\n<i>twice</i> 1 < 2\r\n<font color=\"white\">shown</font>\r\n\r\n\
        3\r\n00:00:08,000 --> 00:00:09,000\r\n \r\n";
    assert_eq!(
        build(&settings, &sample, &facts, Some(srt)).unwrap().text,
        format!("This video's subtitles are listed below:\ntwice 1 < 2 shown\ntwice 1 < 2 shown\n{tail}")
    );
}

#[test]
fn mlvu_equals_the_reference() {
    for case in golden(include_str!("../golden/mlvu_prompts.json")).as_array().unwrap() {
        let inside = sample(&case["lmms_question_field"], Vec::new());
        let apart = sample(&case["doc"]["question"], texts(&case["doc"]["candidates"]));
        for sample in [&inside, &apart] {
            for (profile, key, column) in [
                (Profile::Mlvu, PromptKey::Default, "lmms_default"),
                (Profile::Mlvu033, PromptKey::LlavaVid, "lmms_default"),
                (Profile::Mlvu, PromptKey::Plm, "lmms_plm"),
                (Profile::Mlvu032, PromptKey::Plm, "lmms_legacy"),
                (Profile::Mlvu030, PromptKey::Default, "lmms_legacy"),
                (Profile::Mlvu022, PromptKey::Default, "lmms_legacy"),
            ] {
                assert_eq!(
                    text(settings(Task::MlvuDev, profile, key), sample),
                    case[column],
                    "{profile} {key}"
                );
            }
            let of_test = settings(Task::MlvuTest, Profile::Mlvu, PromptKey::Default);
            assert_eq!(text(of_test, sample), case["lmms_question_field"]);
        }
        let official = settings(Task::MlvuDev, Profile::MlvuOfficial, PromptKey::Default);
        let prompt = build(&official, &apart, &FACTS, None).unwrap();
        let question = case["official_question"].as_str().unwrap();
        assert_eq!(prompt.text, format!("{question}Only give the best option."));
        assert_eq!((prompt.answer_prefix.as_str(), prompt.temperature), ("Best Option: (", Some(0.1)));
        assert!(prompt.system.unwrap().starts_with("Carefully watch this video"));
    }
}

#[test]
fn a_profile_of_another_benchmark_is_refused() {
    let sample = sample(&"q".into(), Vec::new());
    let error = build(&settings(Task::VideoMme, Profile::Mlvu, PromptKey::Default), &sample, &FACTS, None);
    assert!(error.unwrap_err().to_string().contains("mlvu"));
}

#[test]
fn subtitles_that_are_not_utf8_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.srt");
    std::fs::write(&path, b"1\n\xff\xfe").unwrap();
    assert!(read_subtitles(&path).unwrap_err().to_string().contains("x.srt"));
    assert!(read_subtitles(&folder.path().join("none.srt")).is_err());
}

proptest! {
    #[test]
    fn subtitle_files_never_panic(text in "(1\n|00:00:0[0-9],[0-9]{3}|[-]{2}> | --> |\n\n|<font color=\"white\" size=\".72c\">|</font>|<|.|\r\n){0,30}") {
        for (task, profile) in [
            (Task::VideoMmeSubs, Profile::VideoMme),
            (Task::VideoMmeSubs, Profile::VideoMmeOfficial),
            (Task::LongVideoBenchSubs, Profile::Lvb),
        ] {
            let _ = build(&settings(task, profile, PromptKey::Default), &sample(&"q".into(), Vec::new()), &FACTS, Some(&text));
        }
    }
}
