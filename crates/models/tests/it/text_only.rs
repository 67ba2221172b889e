//! A GGUF file that is a checkpoint by itself: a language model alone.

use crate::folder::Folder;
use crate::quantized::{logits, settings};
use candle_core::quantized::{GgmlDType, QTensor};
use longsight_models::processor::{Conversation, Role, Turn};
use longsight_models::{DType, Device, Lmm, LoadSettings, Tensor, WeightDtype, quantize};
use longsight_testkit::gguf::{Gguf, Value};
use longsight_testkit::golden::checkpoint_dir;
use std::ops::ControlFlow;

/// Qwen2's decoder, tied; Llama's with the vocabulary of SmolVLM.
const CASES: [&str; 2] = ["d32-gqa-tied", "smolvlm-256m"];

fn written(file: &Gguf) -> Folder {
    let folder = Folder::empty();
    folder.write("model.gguf", file.bytes());
    folder
}

fn gguf(case: &str) -> Gguf {
    Gguf::of(&checkpoint_dir(case))
}

#[test]
fn a_file_alone_computes_what_the_whole_checkpoint_does() {
    for case in CASES {
        let folder = written(&gguf(case));
        let whole = Lmm::load(&checkpoint_dir(case), &LoadSettings::default()).unwrap();
        for path in [folder.path().to_owned(), folder.file("model.gguf")] {
            let alone = Lmm::load(&path, &LoadSettings::default()).unwrap();
            assert_eq!(alone.config().decoder, whole.config().decoder);
            assert_eq!(alone.info().dtypes.text, WeightDtype::F32);
            assert_eq!(logits(&alone), logits(&whole), "{case}");
            assert_eq!(alone.config().family.name(), "Seeded");
            let text = "Who is there? 12,345 <|im_start|>user\n  it's é 你好<|im_end|>";
            assert_eq!(alone.tokenizer().encode(text).unwrap(), whole.tokenizer().encode(text).unwrap());
            let end = alone.tokenizer().id("<|im_end|>").map(|id| vec![id]).unwrap_or_default();
            assert_eq!(alone.tokenizer().stop_ids(), end);
        }
    }
}

#[test]
fn rows_of_rotary_pairs_are_put_back_in_every_format() {
    let case = CASES[1];
    for (theirs, kind, ours) in
        [(GgmlDType::Q8_0, 8, WeightDtype::Q8_0), (GgmlDType::Q4_1, 3, WeightDtype::Q4_1)]
    {
        let mut file = gguf(case);
        for tensor in file.tensors.iter_mut().filter(|t| t.shape.len() == 2 && t.shape[1] % 32 == 0) {
            let values = tensor.data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            let values =
                Tensor::from_vec(values.collect::<Vec<_>>(), tensor.shape.as_slice(), &Device::Cpu).unwrap();
            tensor.data = QTensor::quantize(&values, theirs).unwrap().data().unwrap().into_owned();
            tensor.kind = kind;
        }
        let alone = written(&file).load().unwrap();
        assert_eq!(alone.info().dtypes.text, ours);
        let whole = Lmm::load(&checkpoint_dir(case), &settings(ours, WeightDtype::F32)).unwrap();
        assert_eq!(logits(&alone), logits(&whole), "{ours}");
    }
    let stored = written(&gguf(case));
    let quantized = LoadSettings { dtype: Some(WeightDtype::Q8_0), ..LoadSettings::default() };
    let on_load = Lmm::load(stored.path(), &quantized).unwrap();
    let whole = Lmm::load(&checkpoint_dir(case), &settings(WeightDtype::Q8_0, WeightDtype::F32)).unwrap();
    assert_eq!(logits(&on_load), logits(&whole));
}

#[test]
fn a_llama_file_stands_in_for_the_language_model_of_smolvlm() {
    let folder = Folder::golden(CASES[1]);
    folder.write("language.gguf", gguf(CASES[1]).bytes());
    assert_eq!(logits(&folder.load().unwrap()), logits(&Folder::golden(CASES[1]).load_as(DType::F32)));
}

#[test]
fn the_tokenizer_of_the_metadata_is_qwens() {
    let mut file = gguf(CASES[0]);
    let tokenizer = serde_json::from_slice(&longsight_testkit::qwen_tokenizer_json()).unwrap();
    file.set_tokenizer(&tokenizer);
    let model = written(&file).load().unwrap();
    crate::tokenizer::assert_golden_encodings(model.tokenizer());
    assert!(model.config().warnings.iter().any(|warning| warning.contains("tokenizer")));
}

#[test]
fn prompts_follow_the_files_template_and_beginning() {
    let turns = [Turn { role: Role::User, content: "Why?".into() }];
    let prompt = |file: &Gguf| {
        let model = written(file).load().unwrap();
        let said = Conversation { system: Some("Be kind."), ..Conversation::from(&turns[..]) };
        let text = model.template().render_text(&*model.config().family, &said).unwrap();
        (text.clone(), model.tokenizer().encode_prompt(&text).unwrap().first().copied())
    };
    let mut file = gguf(CASES[0]);
    let (text, first) = prompt(&file);
    assert_eq!(text, "Be kind.\nuser: Why?\nassistant:");
    file.set("tokenizer.ggml.add_bos_token", Value::Flag(true));
    assert!(first != Some(276) && prompt(&file).1 == Some(276));
    let template =
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}|{{ m.content }}]{% endfor %}{{ eos_token }}";
    file.set("tokenizer.chat_template", Value::Text(template.into()));
    let (text, first) = prompt(&file);
    assert_eq!(text, "<|im_start|>[system|Be kind.][user|Why?]<|im_end|>");
    assert_eq!(first, Some(276), "once");
}

#[test]
fn whoever_shows_it_a_video_or_quantizes_it_is_told() {
    let folder = written(&gguf(CASES[0]));
    let model = folder.load().unwrap();
    let seen = [model.tower().err(), model.preprocessor().err(), model.config().vision().err()];
    for error in seen {
        let error = error.unwrap().to_string();
        assert!(error.contains("language model alone") && error.contains("longsight chat"), "{error}");
    }
    let target = Folder::empty();
    let settings = settings(WeightDtype::Q8_0, WeightDtype::Int8);
    let error =
        quantize(folder.path(), &target.file("new"), &settings, &mut |_, _| ControlFlow::Continue(()));
    assert!(error.unwrap_err().to_string().contains("original checkpoint"));
}

#[test]
fn what_it_cannot_be_is_named_in_one_line() {
    let text = |text: &str| Value::Text(text.into());
    let merge = |merge: &str| Value::Texts(vec![merge.into()]);
    let cases: [(usize, &str, Option<Value>, &str); 16] = [
        (
            0,
            "general.architecture",
            Some(text("phi3")),
            "`phi3` is another model's; longsight reads llama and qwen2",
        ),
        (0, "general.architecture", None, "`general.architecture` is missing"),
        (0, "qwen2.block_count", None, "`qwen2.block_count` is missing"),
        (0, "qwen2.block_count", Some(text("2")), "`qwen2.block_count` is not a whole number"),
        (0, "qwen2.block_count", Some(Value::Count(3)), "is missing"),
        (0, "qwen2.attention.layer_norm_rms_epsilon", None, "layer_norm_rms_epsilon` is missing"),
        (0, "qwen2.attention.head_count", Some(Value::Count(3)), "head counts"),
        (0, "qwen2.attention.head_count", Some(Value::Count(0)), "a size is 0"),
        (1, "llama.attention.head_count", Some(Value::Count(5)), "64 rows, which do not make 5 heads"),
        (1, "llama.rope.scaling.type", Some(text("linear")), "RoPE scaling"),
        (0, "tokenizer.ggml.model", Some(text("llama")), "`llama` is not supported"),
        (0, "tokenizer.ggml.pre", Some(text("llama-bpe")), "`llama-bpe` is not supported"),
        (0, "tokenizer.ggml.merges", Some(merge("zzz qqq")), "names a token that is not there"),
        (0, "tokenizer.ggml.merges", Some(merge("ab")), "`ab` is not `left right`"),
        (0, "tokenizer.ggml.token_type", Some(Value::Kinds(vec![1])), "1 token types"),
        (0, "tokenizer.ggml.tokens", Some(Value::Kinds(vec![1])), "is not a list of texts"),
    ];
    for (case, key, value, expected) in cases {
        let mut file = gguf(CASES[case]);
        match value {
            Some(value) => file.set(key, value),
            None => file.remove(key),
        }
        let error = written(&file).load().err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("model.gguf"), "{key}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let mut file = gguf(CASES[0]);
    file.tensors[0].name = "blk.0.attn_sinks.weight".into();
    let error = written(&file).load().err().unwrap().to_string();
    assert!(error.contains("attn_sinks") && error.contains("neither Llama nor Qwen2"), "{error}");
}

/// A file of the wrong model, or a damaged one, next to a whole checkpoint.
#[test]
fn a_file_of_another_language_model_does_not_stand_in() {
    let cases: [(&str, Value, &str); 4] = [
        ("llama.rope.freq_base", Value::Number(5e5), "`llama.rope.freq_base` is 500000"),
        ("llama.rope.scaling.type", Value::Text("yarn".into()), "RoPE scaling"),
        ("llama.attention.head_count", Value::Count(1), "head_count` is 1, config.json says 2"),
        (
            "general.architecture",
            Value::Text("qwen2".into()),
            "`qwen2`: the checkpoint's language model is of `llama`",
        ),
    ];
    for (key, value, expected) in cases {
        let folder = Folder::golden(CASES[1]);
        let mut file = gguf(CASES[1]);
        file.set(key, value);
        folder.write("language.gguf", file.bytes());
        let error = folder.load().err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("language.gguf"), "{key}: {error}");
    }
}

#[test]
fn tensors_twice_or_in_the_same_bytes() {
    let mut file = gguf(CASES[0]);
    let copy = file.tensors[0].clone();
    file.tensors.push(copy);
    let error = written(&file).load().err().unwrap().to_string();
    assert!(error.contains("is there twice") && error.contains("model.gguf"), "{error}");
    let file = gguf(CASES[0]);
    let (first, second) = (&file.tensors[0], &file.tensors[1]);
    let mut bytes = file.bytes();
    let entry = bytes.windows(second.name.len()).rposition(|at| at == second.name.as_bytes()).unwrap();
    let offset = entry + second.name.len() + 4 + 8 * second.shape.len() + 4;
    bytes[offset..offset + 8].fill(0); // where the first lies
    let folder = Folder::empty();
    folder.write("model.gguf", bytes);
    let error = folder.load().err().unwrap().to_string();
    assert!(error.contains("overlap") && error.contains(&first.name), "{error}");
}
