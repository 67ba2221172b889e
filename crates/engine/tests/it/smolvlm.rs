//! SmolVLM2 through the whole path, from image files to tokens, against transformers; index, evidence, plan and receipt.

use crate::support::{ask, first_logprobs, image_folder, load, plan_of};
use longsight_engine::{EvidenceSettings, LogprobCount, RunSettings};
use longsight_method::ContextMethod;
use longsight_testkit::{Golden, SmolVlmMeta};
use longsight_video::FrameBudget;

type Case = Golden<SmolVlmMeta>;

/// Cases whose times and duration a folder of images at a fixed rate has too.
fn cases() -> impl Iterator<Item = Case> {
    ["smolvlm-256m", "smolvlm-500m"].into_iter().map(Case::read)
}

fn settings(golden: &Case, pool: &str) -> RunSettings {
    let meta = &golden.meta;
    let mut settings = RunSettings::default();
    settings.video.sample.budget = FrameBudget::Uniform { frames: golden.u8s("frames").shape[0] };
    settings.video.probe.image_fps = 1.0 / (meta.frame_times_secs[1] - meta.frame_times_secs[0]);
    settings.pool = Some(pool.parse().unwrap());
    settings.generation.max_new_tokens = meta.new_tokens;
    settings.generation.ignore_eos = true;
    settings.generation.logprobs = Some(LogprobCount::All);
    settings
}

#[test]
fn every_context_method_and_progressive_pooling_from_image_files() {
    for golden in cases() {
        let (meta, model) = (&golden.meta, load(&golden));
        let folder = tempfile::tempdir().unwrap();
        let source = image_folder(&golden, folder.path());
        for (name, method) in &meta.methods {
            let mut settings = settings(&golden, "uniform,1");
            settings.context.method = name.split("_no_").next().unwrap().parse().unwrap();
            settings.context.attention_factor_off = name.ends_with("no_attention_factor");
            let answer = ask(&model, &source, &meta.question, &settings);
            let what = format!("{} {name}", golden.case());
            assert_eq!(answer.generation.token_ids, golden.ids(&format!("tokens_{name}")), "{what}");
            if settings.context.method != ContextMethod::None {
                assert!((answer.receipt.context.scale - method.scale).abs() < 1e-12, "{what}");
            }
            assert_eq!(answer.receipt.tokens.visual, meta.visual_tokens);
            assert_eq!(answer.receipt.tokens.prompt, golden.ids("prompt_ids").len(), "{what}");
        }
        let answer = ask(&model, &source, &meta.question, &settings(&golden, "4,2,8"));
        assert_eq!(answer.generation.token_ids, golden.ids("tokens_pooled"), "{}", golden.case());
        assert!((answer.receipt.context.scale - meta.pooled.scale).abs() < 1e-12);
        assert_eq!(answer.receipt.model.family, "SmolVLM2");
    }
}

#[test]
fn the_plan_knows_tokens_and_text_between_frames_and_takes_the_familys_pooling() {
    let golden = cases().last().unwrap();
    let (folder, model) = (tempfile::tempdir().unwrap(), load(&golden));
    let source = image_folder(&golden, folder.path());
    let settings = RunSettings { pool: None, ..settings(&golden, "4,2,8") };
    let plan = plan_of(&model, &source, &golden.meta.question, &settings);
    assert_eq!(plan.pool.spec.to_string(), "4,1,4");
    let tokens: Vec<usize> = plan.pool.units.iter().map(|unit| unit.visual_tokens).collect();
    assert_eq!(tokens, [64, 4, 4, 4, 64]);
    let decode = |ids: &[u32]| ids.iter().map(|id| model.tokenizer().token(*id)).collect::<String>();
    assert!(decode(&plan.prompt.before_ids).ends_with(
        "five frames from a 0:01:02 [H:MM:SS] video.\n\nFrame from 00:00:<fake_token_around_image><global-img>"
    ));
    assert_eq!(
        decode(&plan.prompt.between_ids[2]),
        "<fake_token_around_image>\nFrame from 00:25:<fake_token_around_image><global-img>"
    );
    assert!(decode(&plan.prompt.after_ids).starts_with("<fake_token_around_image>\n\nWhat happens"));
    let text = golden.ids("prompt_ids").len() - golden.meta.visual_tokens;
    assert_eq!((plan.text_tokens(), plan.layout.total_tokens()), (text, text + 140));
    let answer = ask(&model, &source, &golden.meta.question, &settings);
    assert_eq!(answer.receipt.tokens.prompt, plan.layout.total_tokens());
    assert_eq!(answer.receipt.tokens.text, text);
}

#[test]
fn chunks_batches_and_evidence_change_no_answer() {
    let golden = cases().next().unwrap();
    let (folder, model) = (tempfile::tempdir().unwrap(), load(&golden));
    let source = image_folder(&golden, folder.path());
    let usual = settings(&golden, "4,1,2");
    let reference = ask(&model, &source, "What?", &usual);
    for (chunk_tokens, encode_batch_frames) in [(7, 1), (64, 3)] {
        let mut other = usual.clone();
        other.engine.chunk_tokens = chunk_tokens;
        other.engine.encode_batch_frames = encode_batch_frames;
        other.evidence = Some(EvidenceSettings::default());
        let answer = ask(&model, &source, "What?", &other);
        assert_eq!(answer.generation.token_ids, reference.generation.token_ids);
        let evidence = answer.evidence.unwrap();
        assert_eq!(evidence.frame_scores.len(), 5);
        assert!(evidence.frame_scores.iter().all(|score| score.is_finite() && *score >= 0.0));
    }
    assert_eq!(first_logprobs(&reference), first_logprobs(&ask(&model, &source, "What?", &usual)));
}

/// Stills: a benchmark's text before each image, and no words about a video.
#[test]
fn interleaved_stills_have_the_familys_tokens_around_them() {
    let golden = cases().next().unwrap();
    let (folder, model) = (tempfile::tempdir().unwrap(), load(&golden));
    let source = image_folder(&golden, folder.path());
    let mut settings = settings(&golden, "uniform,1");
    settings.prompt.interleaved = Some((0..5).map(|i| format!("\nPicture {i} <image>: ")).collect());
    let plan = plan_of(&model, &source, "What?", &settings);
    let decode = |ids: &[u32]| ids.iter().map(|id| model.tokenizer().token(*id)).collect::<String>();
    let before = decode(&plan.prompt.before_ids);
    assert!(before.starts_with("<|im_start|>User:\nPicture 0 ") && !before.contains("provided"), "{before}");
    assert!(before.ends_with(": <fake_token_around_image><global-img>"), "{before}");
    assert!(decode(&plan.prompt.between_ids[3]).starts_with("<fake_token_around_image>\nPicture 3 "));
    let image = model.tokenizer().id("<image>").unwrap();
    assert!(!plan.prompt.between_ids.concat().contains(&image), "a text forges no image");
    assert!(decode(&plan.prompt.after_ids).starts_with("<fake_token_around_image>What?<end_of_utterance>"));
    assert_eq!(ask(&model, &source, "What?", &settings).receipt.tokens.visual, golden.meta.visual_tokens);
}
