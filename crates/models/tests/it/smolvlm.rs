//! SmolVLM2 against transformers 5.24.0, stage by stage, and what its folders may hold.

use crate::folder::Folder;
use crate::parity::BACKENDS;
use longsight_method::{PoolPlan, PoolSpec, RopePlan, RopeSettings, Scale};
use longsight_models::families::smolvlm::SmolVlm;
use longsight_models::family::{Family, Shown};
use longsight_models::layers::Rotary;
use longsight_models::processor::{ChatTemplate, TemplateKind};
use longsight_models::processor::{
    Conversation, FrameFit, PixelSettings, Preprocessor, RgbFrame, Role, Turn,
};
use longsight_models::{DType, Device, KvCache, KvDtype, Lmm, LoadSettings, ModelConfig, Tensor};
use longsight_testkit::{Golden, SMOLVLM_CASES, SmolVlmMeta, Tolerance, data_dir};
use serde_json::{Value, json};

type Case = Golden<SmolVlmMeta>;

/// Every case by every backend.
fn cases() -> impl Iterator<Item = (Case, Lmm)> {
    SMOLVLM_CASES.iter().flat_map(|case| BACKENDS.map(|backend| (case, backend))).map(|(case, backend)| {
        let golden = Case::read(case);
        let settings =
            LoadSettings { dtype: Some(DType::F32.into()), backend: Some(backend), ..Default::default() };
        let model = Lmm::load(&golden.checkpoint(), &settings).unwrap();
        (golden, model)
    })
}

fn name(golden: &Case, model: &Lmm) -> String {
    format!("{} {:?}", golden.case(), model.backend())
}

fn flat(t: &Tensor) -> Vec<f32> {
    t.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn tensor(golden: &Case, name: &str) -> Tensor {
    let v = golden.f32s(name);
    Tensor::from_vec(v.data, v.shape, &Device::Cpu).unwrap()
}

fn pool_plan(golden: &Case, model: &Lmm, spec: &str) -> PoolPlan {
    let frames = golden.u8s("frames").shape[0];
    model.config().vision().unwrap().pool_plan(frames, spec.parse().unwrap(), false).unwrap()
}

#[test]
fn pixels_tower_merged_and_pooled_tokens() {
    for (golden, model) in cases() {
        let (case, frames) = (&name(&golden, &model), golden.u8s("frames"));
        let side = frames.shape[1];
        assert_eq!(
            (side, model.preprocessor().unwrap().side()),
            (golden.meta.image_size, golden.meta.image_size)
        );
        let rgb = frames.data.chunks(side * side * 3);
        let pixels = model.preprocessor().unwrap().normalise(rgb, &Device::Cpu).unwrap();
        Tolerance::Absolute(1e-6).assert(case, &flat(&pixels), &golden.f32s("pixels").data);
        let tower = model.tower().unwrap().forward(&tensor(&golden, "pixels")).unwrap();
        Tolerance::Relative(1e-5).assert(&format!("{case} tower"), &flat(&tower), &golden.f32s("tower").data);
        let merged = model.merger().unwrap().forward(&tensor(&golden, "tower")).unwrap();
        assert_eq!(merged.dims(), golden.f32s("merged").shape);
        Tolerance::Relative(1e-5).assert(
            &format!("{case} merged"),
            &flat(&merged),
            &golden.f32s("merged").data,
        );
        let features = tensor(&golden, "merged");
        for (name, text) in [
            ("uniform_2", "uniform,2"),
            ("uniform_4", "uniform,4"),
            ("uniform_8", "uniform,8"),
            ("progressive_4_2_8", "4,2,8"),
            ("progressive_3_2_4", "3,2,4"),
        ] {
            let plan = pool_plan(&golden, &model, text);
            let pool = |i| flat(&model.pool(&features.get(i).unwrap(), &plan, i).unwrap());
            let pooled: Vec<f32> = (0..plan.units.len()).flat_map(pool).collect();
            let expected = golden.f32s(&format!("pooled_{name}"));
            Tolerance::Absolute(1e-5).assert(&format!("{case} {name}"), &pooled, &expected.data);
        }
    }
}

/// Rounding of bytes differs between our Lanczos and torchvision's: a level, in at most some percent of values.
#[test]
fn frames_are_resized_within_a_level_of_torchvision() {
    let golden = Golden::<Value>::read("smolvlm-resize");
    for (name, shape) in golden.meta["shapes"].as_object().unwrap() {
        let number = |key: &str| shape[key].as_u64().unwrap() as usize;
        let settings = PixelSettings {
            mean: [0.5; 3],
            std: [0.5; 3],
            source: None,
            side: number("square"),
            video_fit: FrameFit::LongestEdge(number("longest_edge")),
            still_fit: FrameFit::Stretch,
        };
        let frame = golden.u8s(&format!("{name}_frame")).data;
        let frame = RgbFrame { width: number("width"), height: number("height"), rgb: &frame };
        let ours = Preprocessor::new(&settings).resize(frame).unwrap();
        let expected = golden.u8s(&format!("{name}_resized")).data;
        assert_eq!(ours.len(), expected.len(), "{name}");
        let differences = ours.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b));
        let off = differences.clone().filter(|d| *d > 0).count();
        assert!(differences.max().unwrap() <= 1, "{name}");
        assert!(off * 20 <= ours.len(), "{name}: {off} of {}", ours.len());
    }
}

/// The prompt's ids with visual tokens as transformers splices them: one id for each, where embeddings go.
fn prompt_ids(model: &Lmm, prompt: &Value, tokens_a_frame: usize, image: u32) -> (String, Vec<u32>) {
    let turns: Vec<Turn> = prompt["turns"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let role = if i % 2 == 0 { Role::User } else { Role::Assistant };
            Turn { role, content: text.as_str().unwrap().to_owned() }
        })
        .collect();
    let conversation = Conversation {
        turns: &turns,
        system: prompt["system"].as_str(),
        answer_prefix: "",
        frames_inline: false,
    };
    let template = ChatTemplate::default();
    let text = template.render(&SmolVlm, TemplateKind::Trained, &conversation).unwrap();
    let times_secs: Vec<f64> =
        prompt["times_secs"].as_array().unwrap().iter().map(|secs| secs.as_f64().unwrap()).collect();
    let duration_secs = prompt["duration_secs"].as_f64().unwrap();
    let words = SmolVlm.text(&Shown::Video { duration_secs, times_secs: &times_secs });
    let encode = |text: &str| model.tokenizer().encode(text).unwrap();
    let (mut whole, mut ids, mut piece) = (String::new(), Vec::new(), text.before + &words.intro);
    for (before, after) in &words.units {
        piece += before;
        ids.extend(encode(&piece));
        ids.extend(vec![image; tokens_a_frame]);
        whole += &(std::mem::take(&mut piece) + &"<image>".repeat(tokens_a_frame));
        piece += after;
    }
    piece += &(words.outro + &text.after);
    ids.extend(encode(&piece));
    (whole + &piece, ids)
}

#[test]
fn prompts_are_the_processors_for_any_number_of_frames_and_turns() {
    let file = std::fs::read(data_dir().join("goldens/smolvlm_prompts.json")).unwrap();
    let goldens: Value = serde_json::from_slice(&file).unwrap();
    let (_, model) = cases().next().unwrap();
    let tokens = goldens["tokens_a_frame"].as_u64().unwrap() as usize;
    let image = model.tokenizer().id("<image>").unwrap();
    let prompts = goldens["prompts"].as_object().unwrap();
    assert!(prompts.len() >= 9);
    for (name, prompt) in prompts {
        let (text, ids) = prompt_ids(&model, prompt, tokens, image);
        assert_eq!(text, prompt["text"].as_str().unwrap(), "{name}");
        let expected: Vec<u32> = serde_json::from_value(prompt["ids"].clone()).unwrap();
        assert_eq!(ids, expected, "{name}");
    }
    for (n, words) in goldens["number_words"].as_array().unwrap().iter().enumerate() {
        let times_secs = vec![0.0; n];
        let text = SmolVlm.text(&Shown::Video { duration_secs: 0.0, times_secs: &times_secs });
        assert!(text.intro.contains(&format!("series of {} frames", words.as_str().unwrap())), "{n}");
    }
    for pair in goldens["durations"].as_array().unwrap() {
        let duration_secs = pair[0].as_f64().unwrap();
        let text = SmolVlm.text(&Shown::Video { duration_secs, times_secs: &[] });
        assert!(text.intro.contains(&format!("from a {} [H:MM:SS] video", pair[1].as_str().unwrap())));
    }
}

/// Prompt and visual tokens from pixels on; pooled where there is a plan.
fn embeddings(golden: &Case, model: &Lmm, spec: &str) -> Tensor {
    let plan = pool_plan(golden, model, spec);
    let visual = model.visual_tokens(&tensor(golden, "pixels"), &plan, 0).unwrap();
    let image = model.tokenizer().id("<image>").unwrap();
    let (mut parts, mut unit, mut at) = (Vec::new(), 0, 0);
    for run in golden.ids("prompt_ids").chunk_by(|a, b| (*a == image) == (*b == image)) {
        if run[0] == image {
            let tokens = plan.units[unit].tokens();
            parts.push(visual.narrow(0, at, tokens).unwrap());
            (unit, at) = (unit + 1, at + tokens);
        } else {
            parts.push(model.decoder().embed(run).unwrap());
        }
    }
    assert_eq!(unit, plan.units.len());
    Tensor::cat(&parts, 0).unwrap()
}

fn rope_plan(meta: &SmolVlmMeta, model: &Lmm, method: &str, scale: f64) -> RopePlan {
    let settings = RopeSettings {
        method: method.split("_no_").next().unwrap().parse().unwrap(),
        scale: Scale::Fixed(scale),
        attention_factor: !method.ends_with("no_attention_factor"),
        alpha: meta.alpha,
        beta: meta.beta,
        ..Default::default()
    };
    let shape = model.config().rope_shape(Some(meta.visual_window), Some(meta.language_window));
    RopePlan::new(&settings, &shape, meta.visual_tokens).unwrap()
}

fn generate(golden: &Case, model: &Lmm, x: &Tensor, plan: &RopePlan) -> (Vec<f32>, Vec<u32>) {
    let (device, decoder) = (Device::Cpu, model.decoder());
    let capacity = x.dim(0).unwrap() + golden.meta.new_tokens;
    let mut cache = KvCache::new(decoder.kv_shape(), capacity, KvDtype::F32, &device).unwrap();
    let mut step = |x: &Tensor| {
        let slots = cache.tokens()..cache.tokens() + x.dim(0).unwrap();
        let rotary = Rotary::new(plan, &slots.collect::<Vec<_>>(), &device).unwrap();
        decoder.last_logits(&decoder.forward(x, &rotary, &mut cache).unwrap()).unwrap()
    };
    let first = step(x);
    let (mut logits, mut tokens) = (first.clone(), Vec::new());
    while tokens.len() < golden.meta.new_tokens {
        let known = &logits[..golden.meta.tokenizer_size];
        let best = known.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0 as u32;
        tokens.push(best);
        logits = step(&decoder.embed(&[best]).unwrap());
    }
    (first, tokens)
}

#[test]
fn logits_and_20_greedy_tokens_of_every_context_method_and_with_pooled_frames() {
    for (golden, model) in cases() {
        let (meta, case) = (&golden.meta, &name(&golden, &model));
        let whole = embeddings(&golden, &model, "uniform,1");
        Tolerance::Relative(1e-5).assert(case, &flat(&whole), &golden.f32s("embeddings").data);
        let pooled = embeddings(&golden, &model, "4,2,8");
        Tolerance::Relative(1e-5).assert(case, &flat(&pooled), &golden.f32s("embeddings_pooled").data);
        let methods =
            meta.methods.iter().map(|(name, method)| (name.as_str(), name.as_str(), method.scale, &whole));
        for (name, method, scale, x) in methods.chain([("pooled", "vcwe", meta.pooled.scale, &pooled)]) {
            let what = format!("{case} {name}");
            let (logits, tokens) = generate(&golden, &model, x, &rope_plan(meta, &model, method, scale));
            Tolerance::Relative(1e-4).assert(&what, &logits, &golden.f32s(&format!("logits_{name}")).data);
            assert_eq!(tokens, golden.ids(&format!("tokens_{name}")), "{what}");
        }
    }
}

/// The three published video checkpoints, as far as public sources give their configs (keys that are left out are class
/// defaults there too).
#[test]
fn published_shapes_have_their_tokens_and_windows() {
    let config = |vision: Value, text: Value, scale: usize| {
        let folder = Folder::empty();
        let mut whole =
            json!({ "model_type": "smolvlm", "scale_factor": scale, "tie_word_embeddings": false });
        (whole["vision_config"], whole["text_config"]) = (vision, text);
        folder.write("config.json", whole.to_string());
        ModelConfig::read(folder.path()).unwrap()
    };
    let small = config(
        json!({ "hidden_size": 768, "num_attention_heads": 12, "image_size": 512, "patch_size": 16 }),
        json!({ "model_type": "llama", "hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32,
            "num_attention_heads": 15, "num_key_value_heads": 5, "rope_theta": 1e5, "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-5, "head_dim": 64 }),
        4,
    );
    assert_eq!((small.vision().unwrap().grid().tokens(), small.visual_window_tokens), (64, 4096));
    assert_eq!(
        (small.vision().unwrap().tower.layers, small.vision().unwrap().tower.intermediate),
        (12, 3072)
    );
    assert_eq!((small.decoder.head_dim, small.decoder.rope_theta, small.decoder.tied_head), (64, 1e5, false));
    assert_eq!(
        small.vision().unwrap().usual_pool,
        PoolSpec::Progressive { group: 4, fine_stride: 1, coarse_stride: 4 }
    );
    let large = config(
        json!({ "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "image_size": 384,
            "patch_size": 14 }),
        json!({ "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 24,
            "rope_theta": 130_000.0, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5 }),
        3,
    );
    assert_eq!((large.vision().unwrap().grid().tokens(), large.visual_window_tokens), (81, 5184));
    assert_eq!((large.decoder.heads, large.decoder.kv_heads, large.decoder.head_dim), (32, 32, 64));
}

fn refused(change: impl FnOnce(&Folder), parts: &[&str]) {
    let folder = Folder::golden("smolvlm-256m");
    change(&folder);
    let error = folder.load().err().unwrap().to_string();
    assert!(parts.iter().all(|part| error.contains(part)) && error.lines().count() == 1, "{error}");
}

#[test]
fn bad_checkpoints_are_one_clear_line() {
    let config = |key: &'static str, value: Value| {
        move |folder: &Folder| {
            folder.set(key, value);
        }
    };
    refused(config("/scale_factor", json!(3)), &["config.json", "scale_factor 3", "patches a side"]);
    refused(config("/scale_factor", json!(2)), &["image_seq_len 16", "64 tokens a frame"]);
    refused(
        |folder| {
            folder.remove("processor_config.json").set("/scale_factor", json!(2));
        },
        &["modality_projection.proj.weight", "the config asks for"],
    );
    refused(config("/model_type", json!("idefics3")), &["`idefics3` is another family", "SmolVLM2", "LLaVA"]);
    refused(config("/text_config/model_type", json!("mistral")), &["mistral", "only `llama`"]);
    refused(config("/vision_config/image_size", json!(60)), &["max_image_size"]);
    refused(
        |folder| {
            folder.edit("preprocessor_config.json", |file| file["do_normalize"] = json!(false));
        },
        &["preprocessor_config.json", "do_normalize false"],
    );
    refused(
        |folder| {
            folder.edit("processor_config.json", |file| file["image_seq_len"] = json!(9));
        },
        &["processor_config.json", "image_seq_len 9"],
    );
    refused(
        |folder| {
            folder.edit_tensors(|tensors| tensors.retain(|tensor| !tensor.0.contains("modality_projection")));
        },
        &["model.connector.modality_projection.proj.weight", "is missing"],
    );
}
