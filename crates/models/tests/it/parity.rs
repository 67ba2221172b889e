//! Every stage against transformers, stage by stage: a failure names the first stage that differs.

use longsight_method::{PoolSpec, RopePlan, RopeSettings, Scale};
use longsight_models::layers::Rotary;
use longsight_models::processor::RgbFrame;
use longsight_models::{Backend, DType, Device, KvCache, KvDtype, Lmm, LoadSettings, Tensor};
use longsight_testkit::golden::Golden;
use longsight_testkit::{Tolerance, relative_error};

/// Both are held to the same goldens.
pub const BACKENDS: [Backend; 2] = [Backend::Kernels, Backend::Tensors];

pub fn load(golden: &Golden, dtype: DType) -> Lmm {
    load_for(golden, dtype, Backend::Kernels)
}

fn load_for(golden: &Golden, dtype: DType, backend: Backend) -> Lmm {
    let settings = LoadSettings { dtype: Some(dtype.into()), backend: Some(backend), ..Default::default() };
    Lmm::load(&golden.checkpoint(), &settings).unwrap()
}

/// Every case in f32 by every backend, with a name that says which.
fn cases() -> impl Iterator<Item = (String, Golden, Lmm)> {
    Golden::all().flat_map(|golden| BACKENDS.map(|backend| (golden.meta.case.clone(), backend))).map(
        |(case, backend)| {
            let golden = Golden::load(&case);
            let model = load_for(&golden, DType::F32, backend);
            (format!("{case} {backend:?}"), golden, model)
        },
    )
}

fn flat(t: &Tensor) -> Vec<f32> {
    t.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn spec(golden: &Golden, model: &Lmm, spec: &str) -> longsight_method::PoolPlan {
    let frames = golden.u8s("frames").shape[0];
    model.config().vision().unwrap().pool_plan(frames, spec.parse().unwrap(), false).unwrap()
}

fn tensor(golden: &Golden, name: &str) -> Tensor {
    let v = golden.f32s(name);
    Tensor::from_vec(v.data, v.shape, &Device::Cpu).unwrap()
}

#[test]
fn pixels_are_exact() {
    for golden in Golden::all() {
        let model = load(&golden, DType::F32);
        let frames = golden.u8s("frames");
        let (height, width) = (frames.shape[1], frames.shape[2]);
        let resized: Vec<Vec<u8>> = frames
            .data
            .chunks(height * width * 3)
            .map(|rgb| model.preprocessor().unwrap().resize(RgbFrame { width, height, rgb }).unwrap())
            .collect();
        assert_eq!(resized.concat(), golden.u8s("resized").data, "{}", golden.meta.case);
        let pixels =
            model.preprocessor().unwrap().normalise(resized.iter().map(Vec::as_slice), &Device::Cpu).unwrap();
        let expected = golden.f32s("pixels");
        assert_eq!(pixels.dims(), expected.shape);
        Tolerance::Absolute(1e-6).assert(&golden.meta.case, &flat(&pixels), &expected.data);
    }
}

#[test]
fn tower_projector_and_pooling() {
    for (case, golden, model) in cases() {
        let tower = model.tower().unwrap().forward(&tensor(&golden, "pixels")).unwrap();
        Tolerance::Relative(2e-5).assert(&format!("{case} tower"), &flat(&tower), &golden.f32s("tower").data);
        let projected = model.merger().unwrap().forward(&tensor(&golden, "tower")).unwrap();
        Tolerance::Relative(2e-5).assert(
            &format!("{case} projector"),
            &flat(&projected),
            &golden.f32s("projected").data,
        );
        for (name, text) in [
            ("uniform_2", "uniform,2"),
            ("uniform_4", "uniform,4"),
            ("uniform_8", "uniform,8"),
            ("progressive_4_2_8", "4,2,8"),
            ("progressive_3_2_4", "3,2,4"),
        ] {
            // The goldens' pooled stages hold no newlines: pool as a family without them.
            let mut plan = spec(&golden, &model, text);
            plan.newline = longsight_method::NewlineMode::None;
            let frames = plan.units.len();
            let features = tensor(&golden, "projected");
            let newline = Tensor::zeros(model.config().decoder.hidden, DType::F32, &Device::Cpu).unwrap();
            let pooled: Vec<f32> = (0..frames)
                .flat_map(|i| {
                    flat(
                        &longsight_models::pool::pool_unit(
                            &plan,
                            i,
                            &features.get(i).unwrap(),
                            Some(&newline),
                        )
                        .unwrap(),
                    )
                })
                .collect();
            let expected = golden.f32s(&format!("pooled_{name}"));
            Tolerance::Absolute(1e-5).assert(&format!("{case} {name}"), &pooled, &expected.data);
        }
    }
}

#[test]
fn spliced_embeddings() {
    for (case, golden, model) in cases() {
        let embeddings = embeddings(&golden, &model);
        let expected = golden.f32s("embeddings");
        assert_eq!(embeddings.dims(), expected.shape);
        Tolerance::Relative(2e-5).assert(&case, &flat(&embeddings), &expected.data);
    }
}

/// Prompt and visual tokens from pixels on.
fn embeddings(golden: &Golden, model: &Lmm) -> Tensor {
    let plan = spec(golden, model, "4,2,8");
    let visual = model.visual_tokens(&tensor(golden, "pixels"), &plan, 0).unwrap();
    let ids = |name: &str| model.decoder().embed(&golden.ids(name)).unwrap();
    let mut parts = vec![ids("prompt_before_ids"), visual];
    if plan.trailing_newline_tokens() > 0 {
        parts.push(model.newline().unwrap());
    }
    parts.push(ids("prompt_after_ids"));
    Tensor::cat(&parts, 0).unwrap()
}

fn rope_plan(golden: &Golden, model: &Lmm, method: &str) -> RopePlan {
    let meta = &golden.meta;
    let expected = &meta.methods[method];
    let settings = RopeSettings {
        method: method.split("_no_").next().unwrap().parse().unwrap(),
        scale: Scale::Fixed(expected.scale),
        attention_factor: !method.ends_with("no_attention_factor"),
        alpha: meta.alpha,
        beta: meta.beta,
        ..Default::default()
    };
    let shape = model.config().rope_shape(Some(meta.visual_window), Some(meta.language_window));
    RopePlan::new(&settings, &shape, meta.visual_tokens).unwrap()
}

/// Last logits after a prefill in `chunk`s, and the greedy tokens that follow.
pub fn generate(
    golden: &Golden,
    model: &Lmm,
    method: &str,
    chunk: usize,
    new_tokens: usize,
) -> (Vec<f32>, Vec<u32>) {
    let plan = rope_plan(golden, model, method);
    let x = embeddings(golden, model);
    let total = x.dim(0).unwrap();
    let device = Device::Cpu;
    let kv_dtype = KvDtype::of_weights(model.dtype());
    let mut cache = KvCache::new(model.decoder().kv_shape(), total + new_tokens, kv_dtype, &device).unwrap();
    let step = |x: &Tensor, cache: &mut KvCache| -> Tensor {
        let slots = cache.tokens()..cache.tokens() + x.dim(0).unwrap();
        let rotary = Rotary::new(&plan, &slots.collect::<Vec<_>>(), &device).unwrap();
        model.decoder().forward(x, &rotary, cache).unwrap()
    };
    let mut hidden = None;
    for start in (0..total).step_by(chunk) {
        hidden = Some(step(&x.narrow(0, start, chunk.min(total - start)).unwrap(), &mut cache));
    }
    let first = model.decoder().last_logits(&hidden.unwrap()).unwrap();
    let (mut logits, mut tokens) = (first.clone(), Vec::new());
    while tokens.len() < new_tokens {
        let known = &logits[..golden.meta.tokenizer_size];
        let best = known.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0 as u32;
        tokens.push(best);
        logits =
            model.decoder().last_logits(&step(&model.decoder().embed(&[best]).unwrap(), &mut cache)).unwrap();
    }
    (first, tokens)
}

#[test]
fn logits_and_20_greedy_tokens_of_every_context_method() {
    for (case, golden, model) in cases() {
        for method in golden.meta.methods.keys() {
            let what = format!("{case} {method}");
            let (logits, tokens) = generate(&golden, &model, method, usize::MAX / 2, golden.meta.new_tokens);
            Tolerance::Relative(1e-4).assert(&what, &logits, &golden.f32s(&format!("logits_{method}")).data);
            assert_eq!(tokens, golden.ids(&format!("tokens_{method}")), "{what}");
        }
    }
}

#[test]
fn chunked_prefill_equals_whole() {
    for (case, golden, model) in cases() {
        let (whole, _) = generate(&golden, &model, "vcwe", usize::MAX / 2, 0);
        for chunk in [1, 7, 64] {
            let (chunked, _) = generate(&golden, &model, "vcwe", chunk, 0);
            let what = format!("{case} chunk {chunk}");
            Tolerance::Relative(1e-5).assert(&what, &chunked, &whole);
        }
    }
}

#[test]
fn bf16_is_within_2e_2_of_f32() {
    for golden in Golden::all() {
        let f32s = generate(&golden, &load(&golden, DType::F32), "vcwe", 64, 0).0;
        for backend in BACKENDS {
            let bf16s = generate(&golden, &load_for(&golden, DType::BF16, backend), "vcwe", 64, 0).0;
            let error = relative_error(&bf16s, &f32s);
            assert!(error < 2e-2, "{} {backend:?}: {error}", golden.meta.case);
        }
    }
}

#[test]
fn batches_of_frames_equal_single_frames() {
    let golden = Golden::load("d32-gqa-tied");
    let model = load(&golden, DType::F32);
    let plan = model
        .config()
        .vision()
        .unwrap()
        .pool_plan(golden.u8s("frames").shape[0], PoolSpec::default(), false)
        .unwrap();
    let pixels = tensor(&golden, "pixels");
    let whole = flat(&model.visual_tokens(&pixels, &plan, 0).unwrap());
    for batch in [1, 2, 3] {
        let frames = plan.units.len();
        let parts: Vec<f32> = (0..frames)
            .step_by(batch)
            .flat_map(|i| {
                let part = pixels.narrow(0, i, batch.min(frames - i)).unwrap();
                flat(&model.visual_tokens(&part, &plan, i).unwrap())
            })
            .collect();
        Tolerance::Relative(1e-5).assert(&format!("batch {batch}"), &parts, &whole);
    }
}
