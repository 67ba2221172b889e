//! The whole path, from image files to tokens, against transformers.

use crate::support::{ask, first_logprobs, image_folder, load, plan_of, settings};

use longsight_method::{ContextMethod, Scale};
use longsight_testkit::{Golden, Tolerance};

/// log softmax, in f64.
fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
    logits.iter().map(|l| (f64::from(l - max) - sum.ln()) as f32).collect()
}

#[test]
fn every_golden_and_context_method_from_image_files() {
    for golden in Golden::all().filter(|golden| golden.meta.newline == "one_token") {
        let folder = tempfile::tempdir().unwrap();
        let source = image_folder(&golden, folder.path());
        let model = load(&golden);
        for (name, method) in &golden.meta.methods {
            let mut settings = settings(&golden);
            settings.context.method = name.split("_no_").next().unwrap().parse().unwrap();
            settings.context.attention_factor_off = name.ends_with("no_attention_factor");
            let answer = ask(&model, &source, &golden.meta.question, &settings);
            let what = format!("{} {name}", golden.meta.case);
            assert_eq!(answer.generation.token_ids, golden.ids(&format!("tokens_{name}")), "{what}");
            let expected = log_softmax(&golden.f32s(&format!("logits_{name}")).data);
            Tolerance::Relative(1e-4).assert(&what, &first_logprobs(&answer), &expected);
            // s itself: the engine derives it from the prompt.
            if settings.context.method != ContextMethod::None {
                assert!((answer.receipt.context.scale - method.scale).abs() < 1e-12, "{what}");
            }
            assert!(
                (answer.receipt.context.attention_factor - method.attention_factor).abs() < 1e-12,
                "{what}"
            );
            assert_eq!(answer.receipt.tokens.visual, golden.meta.visual_tokens);
        }
    }
}

#[test]
fn llava_video_with_its_time_instruction() {
    for golden in Golden::all().filter(|golden| golden.meta.newline == "grid") {
        let folder = tempfile::tempdir().unwrap();
        let source = image_folder(&golden, folder.path());
        let model = load(&golden);
        let times = golden.meta.frame_times_secs.clone().unwrap();
        let mut settings = settings(&golden);
        // The goldens' frames are evenly spaced, as a folder of images is.
        let evenly = times.windows(2).all(|w| ((w[1] - w[0]) - (times[1] - times[0])).abs() < 1e-9);
        assert!(evenly && times[0] == 0.0, "{times:?}");
        settings.video.probe.image_fps = 1.0 / (times[1] - times[0]);
        // Published windows count newlines, so s does; the golden's s is of the visual tokens alone.
        settings.context.scale = Scale::Fixed(golden.meta.methods["vcwe"].scale);
        let answer = ask(&model, &source, &golden.meta.question, &settings);
        let prefix = format!("The video lasts for {:.2} seconds", golden.meta.duration_secs.unwrap());
        assert!(golden.meta.user_text.starts_with(&prefix));
        assert_eq!(answer.generation.token_ids, golden.ids("tokens_vcwe"), "{}", golden.meta.case);
        settings.prompt.no_time_instruction = true;
        let plan = plan_of(&model, &source, &golden.meta.question, &settings);
        assert!(plan.prompt.tokens() < answer.receipt.tokens.text);
    }
}
