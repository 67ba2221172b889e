//! LongVideoBench's prompts against the reference functions' output: frames and subtitles in the order of time.

use crate::prompts::{FACTS, golden, sample, settings};
use longsight_eval::prompts::{
    Part, Prompt, PromptSettings, VideoFacts, build, lvb_frame_indices, lvb_frame_times_secs,
};
use longsight_eval::{Profile, PromptKey, Sample, Task};
use serde_json::Value;

/// A LongVideoBench sample and what is known of its video.
fn lvb(doc: &Value) -> (Sample, VideoFacts) {
    let options = (0..5).map(|i| doc[format!("option{i}")].as_str().unwrap().to_owned()).collect();
    let mut sample = sample(&doc["question"], options);
    sample.subtitle_offset_secs = doc["starting_timestamp_for_subtitles"].as_f64().unwrap();
    (sample, VideoFacts { duration_secs: doc["duration"].as_f64().unwrap(), ..FACTS })
}

fn written_out(prompt: &Prompt) -> String {
    let parts = prompt.interleaved.as_ref().unwrap();
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Frame => "<image>",
        })
        .collect()
}

#[test]
fn longvideobench_equals_the_reference() {
    let interleave = golden(include_str!("../golden/lvb_interleave.json"));
    let subtitles = interleave[4]["subtitles"].to_string();
    for case in golden(include_str!("../golden/lvb_prompts.json")).as_array().unwrap() {
        let (sample, facts) = lvb(&case["doc"]);
        let ask = |task| {
            let settings = settings(task, Profile::Lvb, PromptKey::Default);
            build(&settings, &sample, &facts, Some(&subtitles)).unwrap()
        };
        let of_video = ask(Task::LongVideoBench);
        assert_eq!(
            (of_video.text.as_str(), &of_video.interleaved),
            (case["prompt_v"].as_str().unwrap(), &None)
        );
        let of_images = ask(Task::LongVideoBenchSubs);
        assert_eq!(of_images.text, case["prompt_i"]);
        assert_eq!(written_out(&of_images), case["prompt_i"]);
    }
}

#[test]
fn interleaving_equals_the_reference() {
    for case in golden(include_str!("../golden/lvb_interleave.json")).as_array().unwrap() {
        let frames = case["max_num_frames"].as_u64().unwrap() as usize;
        let facts = VideoFacts { duration_secs: case["duration"].as_f64().unwrap(), ..FACTS };
        let mut sample = sample(&"q".into(), vec!["x".into()]);
        sample.subtitle_offset_secs = case["starting_timestamp_for_subtitles"].as_f64().unwrap();
        let task = Task::LongVideoBenchSubs;
        let settings = PromptSettings { frames, ..settings(task, Profile::Lvb02, PromptKey::Default) };
        let prompt = build(&settings, &sample, &facts, Some(&case["subtitles"].to_string())).unwrap();
        let expected = format!(
            "{}\nq\nA. x\nAnswer with the option's letter from the given choices directly.\n",
            case["interleaved"].as_str().unwrap()
        );
        assert_eq!(written_out(&prompt), expected);
        let times = lvb_frame_times_secs(facts.duration_secs, frames);
        let expected: Vec<f64> =
            case["frame_timestamps"].as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).collect();
        assert_eq!(times, expected);
        let shown = prompt.interleaved.unwrap().iter().filter(|part| **part == Part::Frame).count();
        assert_eq!(shown, lvb_frame_indices(facts.duration_secs, facts.fps, frames).len());
    }
}

#[test]
fn longvideobench_subtitles_missing_or_malformed() {
    let (sample, facts) = (sample(&"q".into(), vec!["x".into()]), VideoFacts { duration_secs: 2.5, ..FACTS });
    let settings = settings(Task::LongVideoBenchSubs, Profile::Lvb, PromptKey::Default);
    let without = build(&settings, &sample, &facts, None).unwrap();
    assert!(without.text.starts_with("<image>\n<image>\nq\nA. x\n"), "{}", without.text);
    for malformed in
        ["", "{}", "[1]", "[{}]", r#"[{"timestamp": [1.0], "text": "x"}]"#, r#"[{"start": "1"}]"#]
    {
        assert!(build(&settings, &sample, &facts, Some(malformed)).is_err(), "{malformed}");
    }
}

#[test]
fn frame_indices_equal_the_reference() {
    for case in golden(include_str!("../golden/lvb_frame_indices.json")).as_array().unwrap() {
        let number = |key: &str| case[key].as_f64().unwrap();
        let indices = lvb_frame_indices(number("duration"), number("fps"), number("max_num_frames") as usize);
        assert_eq!(serde_json::to_value(indices).unwrap(), case["idx"], "{case}");
    }
    for hostile in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        assert!(lvb_frame_indices(hostile, hostile, 16).len() <= 16);
        assert!(lvb_frame_times_secs(hostile, 16).len() <= 16);
    }
}
