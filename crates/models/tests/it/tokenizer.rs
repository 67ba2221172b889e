use crate::folder::Folder;
use crate::parity::load;
use longsight_models::DType;
use longsight_models::processor::{Role, TemplateKind, TextTokenizer, Turn};
use longsight_testkit::Golden;
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
struct Encoding {
    text: String,
    ids: Vec<u32>,
}

pub fn assert_golden_encodings(tokenizer: &TextTokenizer) {
    let golden = std::fs::read(longsight_testkit::data_dir().join("tokenizer_qwen.json")).unwrap();
    let golden: Vec<Encoding> = serde_json::from_slice(&golden).unwrap();
    assert!(golden.len() > 10);
    for Encoding { text, ids } in golden {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
    }
    assert_eq!(tokenizer.stop_ids(), [151_645]);
}

#[test]
fn real_qwen_vocabulary() {
    let folder = Folder::empty();
    folder.write("tokenizer.json", longsight_testkit::qwen_tokenizer_json());
    assert_golden_encodings(&TextTokenizer::read(folder.path(), &[], "<|im_end|>").unwrap());
}

/// `vocab.json` and `merges.txt` as older repositories have them.
fn split_files(tokenizer_json: &[u8]) -> Folder {
    let whole: Value = serde_json::from_slice(tokenizer_json).unwrap();
    let mut merges = "#version: 0.2\n".to_owned();
    for merge in whole["model"]["merges"].as_array().unwrap() {
        match merge {
            Value::Array(pair) => {
                merges.extend([pair[0].as_str().unwrap(), " ", pair[1].as_str().unwrap(), "\n"])
            }
            text => merges.extend([text.as_str().unwrap(), "\n"]),
        }
    }
    let folder = Folder::empty();
    folder.write("vocab.json", whole["model"]["vocab"].to_string()).write("merges.txt", merges);
    folder
}

#[test]
fn real_qwen_vocabulary_from_vocab_and_merges() {
    let json = longsight_testkit::qwen_tokenizer_json();
    let whole: Value = serde_json::from_slice(&json).unwrap();
    let added = whole["added_tokens"].as_array().unwrap();
    let decoder: serde_json::Map<String, Value> = added
        .iter()
        .map(|t| (t["id"].to_string(), json!({"content": t["content"], "special": true})))
        .collect();
    let plain: serde_json::Map<String, Value> =
        added.iter().map(|t| (t["content"].as_str().unwrap().to_owned(), t["id"].clone())).collect();
    let reference = Folder::empty();
    reference.write("tokenizer.json", &json);
    let reference = TextTokenizer::read(reference.path(), &[], "<|im_end|>").unwrap();
    let files = [
        ("tokenizer_config.json", json!({"added_tokens_decoder": decoder})),
        ("added_tokens.json", Value::Object(plain)),
    ];
    for (name, content) in files {
        let folder = split_files(&json);
        folder.write(name, content.to_string());
        let tokenizer = TextTokenizer::read(folder.path(), &[], "<|im_end|>").unwrap();
        assert_golden_encodings(&tokenizer);
        assert_eq!(tokenizer.vocabulary(), reference.vocabulary());
        assert_eq!((tokenizer.id("<image>"), tokenizer.id("<video>")), (Some(151_646), Some(151_647)));
        let text = "<|im_start|>user\n<video>\nWhy?<|im_end|> é e\u{301} 你好\r\n\n  we'RE 123 \u{0}";
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(ids, reference.encode(text).unwrap());
        assert_eq!(tokenizer.decode(&ids).unwrap(), reference.decode(&ids).unwrap());
        assert_eq!(tokenizer.token(151_645), "<|im_end|>");
    }
}

#[test]
fn added_tokens_keep_their_ids_across_gaps() {
    let json = std::fs::read(Golden::load("d32-gqa-tied").checkpoint().join("tokenizer.json")).unwrap();
    let folder = split_files(&json);
    folder.write("added_tokens.json", r#"{"<|im_end|>": 290, "<late>": 1000}"#);
    let tokenizer = TextTokenizer::read(folder.path(), &[], "<|im_end|>").unwrap();
    assert_eq!((tokenizer.id("<|im_end|>"), tokenizer.id("<late>")), (Some(290), Some(1000)));
    assert_eq!(tokenizer.encode("<late><|im_end|>").unwrap(), [1000, 290]);
    assert_eq!(tokenizer.decode(&[1000, 290]).unwrap(), "");
    assert_eq!((tokenizer.vocabulary(), tokenizer.stop_ids()), (1001, &[290][..]));
}

#[test]
fn a_stored_maximum_length_does_not_cut_prompts() {
    let folder = Folder::golden("d32-gqa-tied");
    folder.edit("tokenizer.json", |t| {
        t["truncation"] =
            json!({"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0});
        t["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "!"});
    });
    let whole = TextTokenizer::read(&Golden::load("d32-gqa-tied").checkpoint(), &[], "<|im_end|>").unwrap();
    let stored = TextTokenizer::read(folder.path(), &[], "<|im_end|>").unwrap();
    let text = "A prompt that is longer than three tokens.";
    assert_eq!(stored.encode(text).unwrap(), whole.encode(text).unwrap());
}

#[test]
fn prompts_of_both_templates() {
    for golden in Golden::all() {
        let model = load(&golden, DType::F32);
        let turn = |text: &str| [Turn { role: Role::User, content: text.to_owned() }];
        let family = &*model.config().family;
        let said = turn(&golden.meta.user_text);
        let trained = model.template().render(family, TemplateKind::Trained, &said[..].into()).unwrap();
        assert_eq!(trained.before, golden.meta.prompt_before);
        assert_eq!(trained.after, golden.meta.prompt_after);
        assert_eq!(model.tokenizer().encode(&trained.before).unwrap(), golden.ids("prompt_before_ids"));
        assert_eq!(model.tokenizer().encode(&trained.after).unwrap(), golden.ids("prompt_after_ids"));
        if let (Some(text), Some(ids)) = (&golden.meta.chat_text, &golden.meta.chat_ids) {
            let own = model
                .template()
                .render(family, TemplateKind::Checkpoint, &turn(&golden.meta.question)[..].into())
                .unwrap();
            assert_eq!(format!("{}<video>{}", own.before, own.after), *text, "{}", golden.meta.case);
            let video = model.tokenizer().id("<video>").unwrap();
            let mut pieces = model.tokenizer().encode(&own.before).unwrap();
            pieces.push(video);
            pieces.extend(model.tokenizer().encode(&own.after).unwrap());
            assert_eq!(pieces, *ids, "{}", golden.meta.case);
        }
    }
}
