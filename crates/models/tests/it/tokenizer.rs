use crate::parity::load;
use longsight_models::DType;
use longsight_models::processor::{Role, TemplateKind, TextTokenizer, Turn};
use longsight_testkit::Golden;

#[derive(serde::Deserialize)]
struct Encoding {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn real_qwen_vocabulary() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.json"), longsight_testkit::qwen_tokenizer_json()).unwrap();
    let tokenizer = TextTokenizer::read(folder.path(), &[]).unwrap();
    let golden = std::fs::read(longsight_testkit::data_dir().join("tokenizer_qwen.json")).unwrap();
    let golden: Vec<Encoding> = serde_json::from_slice(&golden).unwrap();
    assert!(golden.len() > 10);
    for Encoding { text, ids } in golden {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
    }
    assert_eq!(tokenizer.stop_ids(), [151_645]);
}

#[test]
fn prompts_of_both_templates() {
    for golden in Golden::all() {
        let model = load(&golden, DType::F32);
        let turn = |text: &str| [Turn { role: Role::User, content: text.to_owned() }];
        let trained = model.template().render(TemplateKind::Qwen15, &turn(&golden.meta.user_text)).unwrap();
        assert_eq!(trained.before, golden.meta.prompt_before);
        assert_eq!(trained.after, golden.meta.prompt_after);
        assert_eq!(model.tokenizer().encode(&trained.before).unwrap(), golden.ids("prompt_before_ids"));
        assert_eq!(model.tokenizer().encode(&trained.after).unwrap(), golden.ids("prompt_after_ids"));
        if let (Some(text), Some(ids)) = (&golden.meta.chat_text, &golden.meta.chat_ids) {
            let own =
                model.template().render(TemplateKind::Checkpoint, &turn(&golden.meta.question)).unwrap();
            assert_eq!(format!("{}<video>{}", own.before, own.after), *text, "{}", golden.meta.case);
            let video = model.tokenizer().id("<video>").unwrap();
            let mut pieces = model.tokenizer().encode(&own.before).unwrap();
            pieces.push(video);
            pieces.extend(model.tokenizer().encode(&own.after).unwrap());
            assert_eq!(pieces, *ids, "{}", golden.meta.case);
        }
    }
}
