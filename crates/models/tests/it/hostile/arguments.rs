//! Arguments that do not fit a loaded model.

use super::{assert_message, golden};
use longsight_method::KvShape;
use longsight_models::layers::Rotary;
use longsight_models::processor::RgbFrame;
use longsight_models::{DType, Device, KvCache, KvDtype, Lmm, Tensor};

fn rotary(model: &Lmm, tokens: usize) -> Rotary {
    let shape = model.config().rope_shape(None, None);
    let plan = longsight_method::RopePlan::new(&Default::default(), &shape, 1).unwrap();
    Rotary::new(&plan, &(0..tokens).collect::<Vec<_>>(), &Device::Cpu).unwrap()
}

#[test]
fn cache_overflow() {
    let model = golden().load().unwrap();
    let mut cache = KvCache::new(model.decoder().kv_shape(), 3, KvDtype::F32, &Device::Cpu).unwrap();
    cache.ensure_room(3).unwrap();
    for more in [4, usize::MAX] {
        assert_message(&cache.ensure_room(more).unwrap_err(), &["holds 3 tokens"]);
    }
    let x = model.decoder().embed(&[1, 2]).unwrap();
    model.decoder().forward(&x, &rotary(&model, 2), &mut cache).unwrap();
    assert_message(&cache.ensure_room(usize::MAX).unwrap_err(), &["holds 3 tokens"]);
    let error = model.decoder().forward(&x, &rotary(&model, 2), &mut cache).unwrap_err();
    assert_message(&error, &["holds 3 tokens and 4 are needed", "start a new conversation"]);
    assert_eq!(cache.tokens(), 2, "a refused step changes nothing");
}

#[test]
fn cache_beyond_any_memory() {
    let shape = KvShape { layers: 28, kv_heads: 4, head_dim: 128 };
    let dtypes = [KvDtype::Bf16, KvDtype::Q8];
    for (tokens, dtype) in
        [usize::MAX, usize::MAX / 2, 1 << 45].into_iter().flat_map(|n| dtypes.map(|d| (n, d)))
    {
        let error = KvCache::new(shape, tokens, dtype, &Device::Cpu).err().unwrap();
        assert_message(&error, &["no memory for a KV cache", &tokens.to_string()]);
    }
}

#[test]
fn no_tokens_and_positions_that_do_not_fit() {
    let model = golden().load().unwrap();
    let mut cache = KvCache::new(model.decoder().kv_shape(), 8, KvDtype::F32, &Device::Cpu).unwrap();
    let none = model.decoder().embed(&[]).unwrap();
    let error = model.decoder().forward(&none, &rotary(&model, 1), &mut cache).unwrap_err();
    assert_message(&error, &["at least one token"]);
    assert_message(&model.decoder().last_logits(&none).unwrap_err(), &["at least one token"]);
    let two = model.decoder().embed(&[1, 2]).unwrap();
    assert!(model.decoder().forward(&two, &rotary(&model, 3), &mut cache).is_err());
}

#[test]
fn frames_that_are_not_in_the_plan() {
    let model = golden().load().unwrap();
    let plan = model.config().vision().unwrap().pool_plan(2, Default::default(), false).unwrap();
    let pixels = Tensor::zeros((1, 3, 19, 19), DType::F32, &Device::Cpu).unwrap();
    assert_message(&model.visual_tokens(&pixels, &plan, 2).unwrap_err(), &["unit 2", "2 units"]);
    let none = Tensor::zeros((0, 3, 19, 19), DType::F32, &Device::Cpu).unwrap();
    assert!(model.visual_tokens(&none, &plan, 0).is_err());
    let small = Tensor::zeros((1, 3, 8, 8), DType::F32, &Device::Cpu).unwrap();
    assert_message(&model.visual_tokens(&small, &plan, 0).unwrap_err(), &["tensor operation failed"]);
}

#[test]
fn frame_without_pixels() {
    let model = golden().load().unwrap();
    for (width, height, bytes, part) in
        [(0, 0, 0, "0x0"), (0, 5, 0, "0x5"), (4, 4, 47, "4x4"), (1 << 40, 1, 3, "from 1 to 65536")]
    {
        let rgb = vec![0; bytes];
        let error = model.preprocessor().unwrap().resize(RgbFrame { width, height, rgb: &rgb }).unwrap_err();
        assert_message(&error, &["frame cannot be resized", part]);
    }
}

#[test]
fn resized_frames_of_the_wrong_size() {
    let model = golden().load().unwrap();
    let frame = vec![0u8; 19 * 19 * 3 - 1];
    assert!(model.preprocessor().unwrap().normalise([&frame[..]].into_iter(), &Device::Cpu).is_err());
}

#[test]
fn cache_of_another_model() {
    let model = golden().load().unwrap();
    let shape = KvShape { layers: 1, ..model.decoder().kv_shape() };
    let mut cache = KvCache::new(shape, 8, KvDtype::F32, &Device::Cpu).unwrap();
    let x = model.decoder().embed(&[1]).unwrap();
    let error = model.decoder().forward(&x, &rotary(&model, 1), &mut cache).unwrap_err();
    assert_message(&error, &["a cache of 1 layers"]);
}
