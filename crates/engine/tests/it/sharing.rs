//! Work that is shared between questions and settings changes no answer.

use crate::support::{Case, plan_of, start, start_encoded, try_plan};
use longsight_engine::{EncodedFrames, Session, Silent};
use longsight_method::{ContextMethod, PoolSpec};
use longsight_models::KvDtype;
use longsight_testkit::Golden;
use longsight_video::FrameBudget;

/// Room for the longest question here.
fn case(name: &str) -> Case {
    let mut case = Case::new(name);
    case.settings.engine.spare_tokens = 300;
    case
}

impl Case {
    fn start(&self) -> Session {
        start(&self.model, self.plan(&self.settings), &self.settings)
    }
}

#[test]
fn questions_that_begin_alike_share_whole_chunks_and_stay_bit_equal() {
    for kv_dtype in [None, Some(KvDtype::Q8), Some(KvDtype::F16)] {
        shared_chunks_are_bit_equal(kv_dtype);
    }
}

fn shared_chunks_are_bit_equal(kv_dtype: Option<KvDtype>) {
    let mut case = case("d32-gqa-tied");
    case.settings.engine.chunk_tokens = 8;
    case.settings.kv_dtype = kv_dtype;
    let common = "These are the subtitles: one two three four five six seven eight nine ten eleven twelve.";
    let mut shared = case.start();
    for (i, end) in ["What is first?", "What is last, and why is it so?", "Who?"].iter().enumerate() {
        let question = format!("{common} {end}");
        // A new conversation each time: as a harness asks.
        let turns = vec![longsight_models::processor::Turn {
            role: longsight_models::processor::Role::User,
            content: question.clone(),
        }];
        let answer = shared.continue_conversation(turns.clone(), &mut Silent).unwrap();
        let alone = case.start().continue_conversation(turns, &mut Silent).unwrap();
        assert_eq!(answer.generation, alone.generation, "question {i}");
        let prefix = shared.plan().layout.visual_prefix_tokens();
        let text_reused = answer.receipt.tokens.reused.saturating_sub(prefix);
        assert_eq!(text_reused >= 16, i > 0, "question {i} reused {text_reused} tokens of text");
        assert_eq!(text_reused % 8, 0);
        assert_eq!(answer.receipt.kv_cache.dtype, kv_dtype.map_or("f32", KvDtype::as_str));
    }
}

#[test]
fn frames_encoded_once_serve_every_pooling_and_context_bit_for_bit() {
    for golden in Golden::all() {
        let name = &golden.meta.case;
        let case = case(name);
        let encoded = EncodedFrames::encode(
            &case.model,
            &case.plan(&case.settings),
            &[2, 3],
            &case.settings,
            &mut Silent,
        )
        .unwrap();
        for pool in ["2,2,3", "uniform,3"] {
            for method in [ContextMethod::None, ContextMethod::Vcwe] {
                let mut settings = case.settings.clone();
                settings.pool = Some(pool.parse::<PoolSpec>().unwrap());
                settings.context.method = method;
                let mut shared =
                    start_encoded(&case.model, case.plan(&settings), &settings, &encoded).unwrap();
                let mut alone = start(&case.model, case.plan(&settings), &settings);
                let (a, b) =
                    (shared.ask("What?", &mut Silent).unwrap(), alone.ask("What?", &mut Silent).unwrap());
                assert_eq!(a.generation, b.generation, "{name} {pool} {method}");
                assert_eq!(a.receipt.tokens.visual, b.receipt.tokens.visual);
            }
        }
        let mut other = case.settings.clone();
        other.pool = Some("uniform,4".parse().unwrap());
        let refused = start_encoded(&case.model, case.plan(&other), &other, &encoded);
        assert!(refused.err().unwrap().to_string().contains("do not serve"));
    }
}

#[test]
fn an_inserted_frame_stands_where_a_video_with_it_has_it() {
    let case = case("d32-gqa-tied");
    let encode = |indices: &[usize]| {
        let mut settings = case.settings.clone();
        settings.engine.encode_batch_frames = 1; // so that a frame's batch mates cannot matter
        settings.video.sample.budget = FrameBudget::Indices(indices.into());
        let strides = [2, 8];
        let plan = case.plan(&settings);
        (EncodedFrames::encode(&case.model, &plan, &strides, &settings, &mut Silent).unwrap(), plan, settings)
    };
    let (without, ..) = encode(&[0, 2, 3]);
    let (needle, ..) = encode(&[1]);
    let (whole, plan, settings) = encode(&[0, 1, 2, 3]);
    let ask = |encoded: &EncodedFrames| {
        let mut session = start_encoded(&case.model, plan.clone(), &settings, encoded).unwrap();
        session.ask("What?", &mut Silent).unwrap().generation
    };
    assert_eq!(ask(&without.with_inserted(1, &needle, 0)), ask(&whole));
    assert_ne!(ask(&without.with_inserted(2, &needle, 0)), ask(&whole));
}

#[test]
fn teacher_forcing_agrees_with_what_the_model_says_itself() {
    let case = case("d32-gqa-tied");
    let mut settings = case.settings.clone();
    settings.generation.max_new_tokens = 6;
    let mut session = start(&case.model, case.plan(&settings), &settings);
    let said = session.ask("What is it?", &mut Silent).unwrap();
    let first = said.generation.token_ids[0];
    let wrong = session.score_answer("What is it?", "blue", &mut Silent).unwrap();
    assert_eq!(wrong.predicted_ids[0], first);
    assert!(!wrong.is_predicted());
    assert!(wrong.logprobs.iter().all(|p| *p < 0.0));
    // The log-probability of the first token is the one that generation reports.
    let reported = said.generation.first_token_logprobs.unwrap();
    let of = |id: u32| reported.iter().find(|entry| entry.id == id).unwrap().logprob;
    assert!((wrong.logprobs[0] - of(wrong.token_ids[0])).abs() < 1e-9);
    // Scoring leaves nothing behind: the next question is answered as by a fresh session.
    let again = session.ask("What is it?", &mut Silent).unwrap();
    assert_eq!(again.generation.token_ids, said.generation.token_ids);
}

#[test]
fn interleaved_text_takes_positions_between_the_frames() {
    let mut case = case("d32-gqa-tied");
    let frames = case.plan(&case.settings).sample.frames.len();
    let mut texts = vec![String::new(); frames];
    texts[0] = "it begins\n".into();
    texts[2] = "\nthen this is said\n".into();
    case.settings.prompt.interleaved = Some(texts.clone());
    case.settings.pool = Some("uniform,1".parse().unwrap());
    let plan = case.plan(&case.settings);
    let gap = plan.layout.unit_span(2).start - plan.layout.unit_span(1).end;
    assert_eq!(gap, plan.prompt.between_ids[2].len());
    assert!(gap >= 4);
    // Every still image ends with a newline of its own, and none follows the last.
    assert_eq!(plan.layout.unit_span(1).len(), plan.pool.units[0].visual_tokens + 1);
    assert_eq!(plan.layout.visual_prefix_tokens(), plan.layout.unit_span(frames - 1).end);
    let with_text = case.start().ask("What?", &mut Silent).unwrap();
    let asked = plan_of(&case.model, &case.source, "What?", &case.settings);
    assert_eq!(with_text.receipt.tokens.prompt, asked.layout.total_tokens());
    texts[2] = "\n".into();
    case.settings.prompt.interleaved = Some(texts);
    let without = case.start().ask("What?", &mut Silent).unwrap();
    assert_ne!(with_text.generation.first_token_logprobs, without.generation.first_token_logprobs);
    case.settings.prompt.interleaved = Some(vec![String::new()]);
    let refused = try_plan(&case.model, &case.source, "", &case.settings);
    assert!(refused.unwrap_err().to_string().contains("one a frame"));
}

#[test]
fn indices_are_taken_as_given_and_kept_inside_the_video() {
    let mut case = case("d32-gqa-tied");
    case.settings.video.sample.budget = FrameBudget::Indices([0, 0, 2, 999].into());
    let last = case.plan(&case.settings).video.total_frames - 1;
    let plan = case.plan(&case.settings);
    assert_eq!(plan.sample.frames.iter().map(|f| f.index).collect::<Vec<_>>(), [0, 0, 2, last]);
    case.settings.video.sample.budget = FrameBudget::Indices([2, 1].into());
    let refused = try_plan(&case.model, &case.source, "", &case.settings);
    assert!(refused.unwrap_err().to_string().contains("rising order"));
}
