//! The cache in each of its dtypes.

use crate::parity::BACKENDS;
use longsight_method::KvShape;
use longsight_models::layers::Rotary;
use longsight_models::{DType, Device, KvCache, KvDtype, Lmm, LoadSettings};
use longsight_testkit::{Golden, Tolerance};

const DTYPES: [KvDtype; 4] = [KvDtype::F32, KvDtype::F16, KvDtype::Bf16, KvDtype::Q8];

fn load(case: &str, dtype: DType) -> Lmm {
    let settings = LoadSettings { dtype: Some(dtype.into()), ..Default::default() };
    Lmm::load(&Golden::load(case).checkpoint(), &settings).unwrap()
}

fn cache(model: &Lmm, tokens: usize, dtype: KvDtype) -> KvCache {
    KvCache::new(model.decoder().kv_shape(), tokens, dtype, &Device::Cpu).unwrap()
}

/// Logits of the last of `ids`, which follow what the cache holds.
fn step(model: &Lmm, ids: &[u32], cache: &mut KvCache) -> Vec<f32> {
    let shape = model.config().rope_shape(None, None);
    let plan = longsight_method::RopePlan::new(&Default::default(), &shape, 1).unwrap();
    let slots = cache.tokens()..cache.tokens() + ids.len();
    let rotary = Rotary::new(&plan, &slots.collect::<Vec<_>>(), &Device::Cpu).unwrap();
    let hidden = model.decoder().forward(&model.decoder().embed(ids).unwrap(), &rotary, cache).unwrap();
    model.decoder().last_logits(&hidden).unwrap()
}

fn ids(count: usize) -> Vec<u32> {
    (0..count as u32).map(|i| (i * 7 + 3) % 50).collect()
}

#[test]
fn logits_move_by_no_more_than_the_dtype_explains() {
    for (case, weights) in
        [("d32-gqa-tied", DType::F32), ("d64-mha-sharded", DType::F32), ("d128-explicit-bf16", DType::BF16)]
    {
        let model = load(case, weights);
        let ids = ids(300); // beyond one tile of keys
        let reference = step(&model, &ids, &mut cache(&model, 300, KvDtype::F32));
        // Where attention is in bf16, once rounded, f16 is no more exact than that.
        let f16 = if longsight_kernels::instruction_set() == "avx512bf16" { 2e-2 } else { 2e-3 };
        for (dtype, tolerance) in [(KvDtype::F16, f16), (KvDtype::Bf16, 2e-2), (KvDtype::Q8, 3e-2)] {
            let logits = step(&model, &ids, &mut cache(&model, 300, dtype));
            Tolerance::Relative(tolerance).assert(&format!("{case} {dtype}"), &logits, &reference);
            assert_ne!(logits, reference, "{dtype} is not f32");
        }
    }
}

#[test]
fn a_truncated_cache_goes_on_as_if_the_rest_had_never_been() {
    let model = load("d64-mha-sharded", DType::F32);
    for dtype in DTYPES {
        let (first, other) = (ids(12), [9, 8, 7]);
        let mut used = cache(&model, 20, dtype);
        step(&model, &first[..8], &mut used);
        step(&model, &first[8..], &mut used);
        used.truncate(8);
        let after = step(&model, &other, &mut used);
        let mut fresh = cache(&model, 20, dtype);
        step(&model, &first[..8], &mut fresh);
        assert_eq!(after, step(&model, &other, &mut fresh), "{dtype}");
    }
}

/// Fixed and joined, floats and bytes: both backends read what was written.
#[test]
fn every_form_gives_the_same_logits_by_both_backends() {
    let ids = ids(30);
    let models = BACKENDS.map(|backend| {
        let settings =
            LoadSettings { dtype: Some(DType::F32.into()), backend: Some(backend), ..Default::default() };
        Lmm::load(&Golden::load("d32-gqa-tied").checkpoint(), &settings).unwrap()
    });
    for dtype in DTYPES {
        let [kernels, tensors] = models.each_ref().map(|model| {
            let mut cache = cache(model, 30, dtype);
            step(model, &ids[..20], &mut cache);
            step(model, &ids[20..], &mut cache)
        });
        // Kernels may attend to anything but f32 in bf16.
        let tolerance = if dtype == KvDtype::F32 { 2e-5 } else { 2e-2 };
        Tolerance::Relative(tolerance).assert(&format!("{dtype}"), &tensors, &kernels);
    }
    for model in &models {
        let mut fixed = cache(model, 30, KvDtype::F32);
        let mut joined = KvCache::joining(model.decoder().kv_shape(), 30, &Device::Cpu).unwrap();
        assert_eq!(joined.bytes(), 0);
        for cache in [&mut fixed, &mut joined] {
            step(model, &ids[..25], cache);
            cache.truncate(20);
        }
        assert_eq!(step(model, &ids[20..], &mut joined), step(model, &ids[20..], &mut fixed));
        assert_eq!(joined.bytes(), fixed.bytes());
        assert!(joined.ensure_room(1).is_err(), "it holds no more than it was made for");
    }
}

#[test]
fn the_room_behind_the_tokens_changes_nothing() {
    let model = load("d32-gqa-tied", DType::F32);
    for dtype in DTYPES {
        let ids = ids(10);
        let exact = step(&model, &ids, &mut cache(&model, 10, dtype));
        assert_eq!(exact, step(&model, &ids, &mut cache(&model, 77, dtype)), "{dtype}");
    }
}

#[test]
fn bytes_count_values_and_scales() {
    let shape = KvShape { layers: 3, kv_heads: 2, head_dim: 64 };
    for (dtype, bytes) in DTYPES.into_iter().zip([4 * 64, 2 * 64, 2 * 64, 64 + 4]) {
        let cache = KvCache::new(shape, 10, dtype, &Device::Cpu).unwrap();
        assert_eq!(cache.bytes(), 2 * 3 * 2 * 10 * bytes, "{dtype}");
        assert_eq!(cache.dtype(), dtype);
        assert_eq!(dtype.bytes(shape, 10), (2 * 3 * 2 * 10 * bytes) as u64);
    }
}

#[test]
fn without_a_wish_the_cache_follows_the_weights() {
    for (weights, cache) in
        [(DType::F32, KvDtype::F32), (DType::F16, KvDtype::F16), (DType::BF16, KvDtype::Bf16)]
    {
        assert_eq!(KvDtype::of_weights(weights), cache);
    }
}

#[test]
fn a_prefix_written_and_read_back_is_the_same_cache() {
    let model = load("d32-gqa-tied", DType::F32);
    for dtype in DTYPES {
        let ids = ids(30);
        let mut written = cache(&model, 64, dtype);
        step(&model, &ids, &mut written);
        let mut bytes = Vec::new();
        written.write_prefix(20, &mut bytes).unwrap();
        assert_eq!(Some(bytes.len()), written.prefix_bytes(20), "{dtype}");
        // Another capacity, and something else in it before.
        let mut read = cache(&model, 41, dtype);
        step(&model, &[1, 2, 3], &mut read);
        read.read_prefix(20, &bytes).unwrap();
        assert_eq!(read.tokens(), 20);
        written.truncate(20);
        assert_eq!(step(&model, &ids[20..], &mut read), step(&model, &ids[20..], &mut written), "{dtype}");
        assert!(written.write_prefix(31, &mut Vec::new()).is_err(), "more than it holds");
        assert!(read.read_prefix(20, &bytes[1..]).is_err() && read.tokens() == 0, "{dtype}");
        assert!(read.read_prefix(42, &bytes).is_err(), "more than fits");
        read.read_prefix(0, &[]).unwrap();
    }
}
