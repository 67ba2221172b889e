use crate::support::{image_folder, load, plan_of, settings};
use longsight_engine::{EngineError, Setting, fit_to_memory};
use longsight_testkit::Golden;
use longsight_video::FrameBudget;

#[test]
fn memory_is_solved_for_frames_first() {
    let golden = Golden::load("d32-gqa-tied");
    let folder = tempfile::tempdir().unwrap();
    let source = image_folder(&golden, folder.path());
    let model = load(&golden);
    let mut settings = settings(&golden);
    settings.video.sample.budget = FrameBudget::Uniform { frames: 4000 };
    let plan = plan_of(&model, &source, "What?", &settings);
    let whole = plan.memory.total_bytes();
    let allowed = whole - plan.memory.kv_cache_bytes / 2;
    let fit = |allowed| fit_to_memory(model.info(), &plan.video, &settings, plan.text_tokens(), allowed);

    let fitting = fit(allowed).unwrap();
    assert!((1000..4000).contains(&fitting.frames), "{fitting:?}");
    assert_eq!(fitting.pool, settings.pool_spec(model.info()));
    assert_eq!(fitting.flags, format!("--frames {}", fitting.frames));
    assert!(fitting.coarser.is_some_and(|(_, frames)| frames > fitting.frames));
    // It is the largest: that many frames fit, one more does not.
    for (frames, fits) in [(fitting.frames, true), (fitting.frames + 1, false)] {
        let mut settings = settings.clone();
        settings.video.sample.budget = FrameBudget::Uniform { frames };
        settings.memory_limit_bytes = Some(allowed);
        let plan = plan_of(&model, &source, "What?", &settings);
        assert_eq!(plan.memory.total_bytes() <= allowed, fits, "{frames} frames");
        assert_eq!(plan.check_memory(model.info(), &settings).is_ok(), fits);
    }
    assert_eq!(fit(whole).unwrap().frames, 4000);
    assert!(fit(plan.memory.weights_bytes).is_none());

    settings.memory_limit_bytes = Some(allowed);
    let error = plan.check_memory(model.info(), &settings).unwrap_err();
    assert!(matches!(error, EngineError::Memory { .. }));
    assert!(error.to_string().contains(&format!("frames {}", fitting.frames)), "{error}");
    assert_eq!(error.fault().field, Some(Setting::Frames));
}
