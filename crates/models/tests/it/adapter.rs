//! Low-rank terms: what they add, what they leave alone, how gradients reach them, and where they do not fit.

use crate::parity::BACKENDS;
use candle_core::Var;
use longsight_method::{RopePlan, RopeSettings};
use longsight_models::layers::{Linear, Rotary};
use longsight_models::weights::Matrix;
use longsight_models::{Adapters, Backend, Device, KvCache, Lmm, LoadSettings, LowRank, Tensor, WeightDtype};
use longsight_testkit::Tolerance;
use longsight_testkit::golden::checkpoint_dir;

const RANK: usize = 3;
const ALPHA: f64 = 6.0;

/// A layer of each part of the model, with `[outputs, inputs]`.
const LAYERS: [(&str, usize, usize); 4] = [
    ("text.layers.0.self_attn.q_proj", 128, 128),
    ("text.layers.1.mlp.down_proj", 128, 144),
    ("vision.encoder.layers.0.mlp.fc1", 70, 36),
    ("merger.1", 128, 128),
];

fn noise(rows: usize, columns: usize, seed: u32) -> Tensor {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..rows * columns).map(|_| next()).collect();
    Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
}

fn flat(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn load(backend: Backend, dtype: WeightDtype, adapters: Adapters) -> Result<Lmm, String> {
    let settings =
        LoadSettings { dtype: Some(dtype), backend: Some(backend), adapters, ..LoadSettings::default() };
    Lmm::load(&checkpoint_dir("d32-gqa-tied"), &settings).map_err(|e| e.to_string())
}

/// A term for each of [`LAYERS`]; `up` says what B is.
fn adapters(up: impl Fn(usize, usize) -> Tensor) -> Adapters {
    let mut adapters = Adapters::default();
    for (layer, outputs, inputs) in LAYERS {
        adapters.insert(layer, LowRank::new(noise(RANK, inputs, 5), up(outputs, RANK), ALPHA).unwrap());
    }
    adapters
}

/// Logits `[tokens, vocabulary]` of a text, with gradients where the backend has them.
fn text_logits(model: &Lmm) -> Tensor {
    let (ids, decoder) = ([5, 9, 200, 3], model.decoder());
    let shape = model.config().rope_shape(None, None);
    let plan = RopePlan::new(&RopeSettings::default(), &shape, 1).unwrap();
    let rotary = Rotary::new(&plan, &[0, 1, 2, 3], &Device::Cpu).unwrap();
    let mut cache = KvCache::joining(decoder.kv_shape(), ids.len(), &Device::Cpu).unwrap();
    let hidden = decoder.forward(&decoder.embed(&ids).unwrap(), &rotary, &mut cache).unwrap();
    decoder.logits(&hidden).unwrap()
}

/// Every number that a model makes of noise: visual tokens and logits.
fn outputs(model: &Lmm) -> Vec<f32> {
    let side = model.config().vision().unwrap().tower.image_side;
    let pixels = noise(3 * side, side, 1).reshape((1, 3, side, side)).unwrap();
    [flat(&model.features(&pixels).unwrap()), flat(&text_logits(model))].concat()
}

#[test]
fn a_zero_b_changes_no_bit_and_another_does() {
    for dtype in [WeightDtype::F32, WeightDtype::Q8_0] {
        for backend in BACKENDS {
            let none = outputs(&load(backend, dtype, Adapters::default()).unwrap());
            let zero = adapters(|rows, columns| noise(rows, columns, 1).zeros_like().unwrap());
            assert!(
                bits(&outputs(&load(backend, dtype, zero).unwrap())) == bits(&none),
                "{backend:?} {dtype}"
            );
            let some = adapters(|rows, columns| noise(rows, columns, 6));
            assert!(outputs(&load(backend, dtype, some).unwrap()) != none, "{backend:?} {dtype}");
        }
    }
}

#[test]
fn both_backends_add_the_same() {
    let [kernels, tensors] = BACKENDS.map(|backend| {
        let some = adapters(|rows, columns| noise(rows, columns, 6));
        outputs(&load(backend, WeightDtype::F32, some).unwrap())
    });
    Tolerance::Relative(2e-5).assert("tensors and kernels", &tensors, &kernels);
}

#[test]
fn a_wrapped_layer_is_the_dense_layer_of_the_sum() {
    let (w, a, b) = (noise(20, 24, 1), noise(RANK, 24, 2), noise(20, RANK, 3));
    let (x, bias) = (noise(7, 24, 4), noise(1, 20, 5).flatten_all().unwrap());
    let sum = (&w + (b.matmul(&a).unwrap() * (ALPHA / RANK as f64)).unwrap()).unwrap();
    for backend in BACKENDS {
        let layer = |w: &Tensor| Linear::new(Matrix::Floats(w.clone()), Some(bias.clone()), backend);
        let wrapped = layer(&w).with_low_rank(LowRank::new(a.clone(), b.clone(), ALPHA).unwrap());
        let (wrapped, dense) = (wrapped.forward(&x).unwrap(), layer(&sum).forward(&x).unwrap());
        Tolerance::Relative(1e-5).assert(&format!("{backend:?}"), &flat(&wrapped), &flat(&dense));
    }
}

/// Element by element in f64 this is held by the crate's own tests; here through a whole model, in f32.
#[test]
fn gradients_reach_a_and_b_through_the_model() {
    let (layer, outputs, inputs) = LAYERS[0];
    let a = Var::from_tensor(&noise(RANK, inputs, 5)).unwrap();
    let b = Var::from_tensor(&(noise(outputs, RANK, 6) * 0.1).unwrap()).unwrap();
    let mut adapters = Adapters::default();
    adapters.insert(layer, LowRank::new(a.as_tensor().clone(), b.as_tensor().clone(), ALPHA).unwrap());
    let model = load(Backend::Tensors, WeightDtype::F32, adapters).unwrap();
    let loss = || {
        let logits = text_logits(&model);
        let (rows, columns) = logits.dims2().unwrap();
        logits.mul(&noise(rows, columns, 7)).unwrap().sum_all().unwrap()
    };
    let gradients = loss().backward().unwrap();
    for (name, var) in [("A", &a), ("B", &b)] {
        // Along the gradient itself the slope is its length.
        let gradient = gradients.get(var).unwrap_or_else(|| panic!("no gradient for {name}"));
        let length = f64::from(gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt();
        let (start, step) = (var.as_tensor().copy().unwrap(), 0.002);
        let at = |by: f64| {
            var.set(&(&start + (gradient * (by / length)).unwrap()).unwrap()).unwrap();
            f64::from(loss().to_scalar::<f32>().unwrap())
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        at(0.0);
        assert!(length > 1e-2 && (slope / length - 1.0).abs() < 1e-2, "{name}: {slope} for {length}");
    }
}

#[test]
fn what_does_not_fit_is_one_clear_line() {
    let refused = |layer: &str, a: Tensor, b: Tensor| {
        let mut adapters = Adapters::default();
        adapters.insert(layer, LowRank::new(a, b, ALPHA).unwrap());
        let error = load(Backend::Tensors, WeightDtype::F32, adapters).err().unwrap();
        assert!(error.contains(layer) && !error.contains('\n'), "{error}");
        error
    };
    let (layer, outputs, inputs) = LAYERS[0];
    let error = refused(layer, noise(RANK, inputs + 1, 1), noise(outputs, RANK, 1));
    assert!(error.contains("[128, 129]") && error.contains("[128, 128]"), "{error}");
    for missing in ["text.layers.9.self_attn.q_proj", "text.norm", "text.embed_tokens", "q_proj"] {
        let error = refused(missing, noise(RANK, inputs, 1), noise(outputs, RANK, 1));
        assert!(error.contains("no linear layer of that name"), "{error}");
    }
    for (a, b, alpha) in [
        (noise(2, 8, 1), noise(8, 3, 1), 1.0),
        (noise(2, 8, 1).flatten_all().unwrap(), noise(8, 2, 1), 1.0),
        (noise(2, 8, 1), noise(8, 2, 1), f64::NAN),
    ] {
        let error = LowRank::new(a, b, alpha).err().unwrap().to_string();
        assert!(error.contains("A [r, inputs], B [outputs, r]") && !error.contains('\n'), "{error}");
    }
}
