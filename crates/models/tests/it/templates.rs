//! Chat templates as transformers renders them.

use crate::folder::Folder;
use longsight_models::families::llava::Llava;
use longsight_models::processor::{ChatTemplate, Conversation, Turn};
use serde_json::{Value, json};

/// Made by tools/templates/golden.py.
const GOLDEN: &str = include_str!("../data/templates.json");

fn render(folder: &Folder, turns: &[Turn], system: Option<&str>) -> Result<String, String> {
    let said = Conversation { system, ..Conversation::from(turns) };
    let template = ChatTemplate::read(folder.path()).map_err(|e| e.to_string())?;
    template.render_text(&Llava::OneVision, &said).map_err(|e| e.to_string())
}

/// Renders `template` of a checkpoint that has these files of tokens.
fn rendered(template: &str, tokens: &[(&str, Value)]) -> Result<String, String> {
    let folder = Folder::empty();
    folder.write("chat_template.jinja", template);
    for (name, content) in tokens {
        folder.write(name, content.to_string());
    }
    render(
        &folder,
        &serde_json::from_value::<Vec<Turn>>(json!([{"role": "user", "content": "Hi"}])).unwrap(),
        None,
    )
}

#[test]
fn templates_give_what_transformers_gives() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let all: Vec<Value> = serde_json::from_value(golden["turns"].clone()).unwrap();
    let turns: Vec<Turn> = serde_json::from_value(all[1..].into()).unwrap();
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().unwrap() {
        let folder = Folder::empty();
        folder.write("chat_template.jinja", case["template"].as_str().unwrap());
        folder.write("tokenizer_config.json", golden["tokens"].to_string());
        let text = render(&folder, &turns, all[0]["content"].as_str());
        if text.clone().ok().as_deref() != case["text"].as_str() {
            wrong.push(format!("{}: {text:?}, transformers {}", case["name"], case["text"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn named_tokens_are_read_from_every_file_that_has_them() {
    let described = json!({"content": "<end>", "lstrip": false, "special": true});
    let ends = "{{ bos_token }}{{ eos_token }}{{ image_token }}";
    let config =
        json!({"bos_token": null, "eos_token": described, "extra_special_tokens": {"image_token": "<i>"}});
    assert_eq!(rendered(ends, &[("tokenizer_config.json", config)]).unwrap(), "<end><i>");
    let map = json!({"bos_token": "<map>", "eos_token": described});
    let old =
        [("tokenizer_config.json", json!({"bos_token": "<c>"})), ("special_tokens_map.json", map.clone())];
    assert_eq!(
        rendered(ends, &old).unwrap(),
        "<map><end>",
        "the map comes first beside a config without added tokens"
    );
    let newer = json!({"bos_token": "<c>", "added_tokens_decoder": {}});
    let newer = [("tokenizer_config.json", newer), ("special_tokens_map.json", map)];
    assert_eq!(rendered(ends, &newer).unwrap(), "<c>");
}

#[test]
fn a_template_may_tell_the_time_and_refuse_in_its_own_words() {
    let now = rendered("{{ strftime_now('%d %b %Y') }}", &[]).unwrap();
    let parts: Vec<&str> = now.split(' ').collect();
    assert!(parts.len() == 3 && parts[0].len() == 2 && parts[2].parse::<u32>().unwrap() > 2025, "{now}");
    let error = rendered("{{ strftime_now('%Q!') }}", &[]).unwrap_err();
    assert!(error.contains("strftime_now cannot write"), "{error}");
    let error = rendered("{{ raise_exception('Only one image is allowed') }}", &[]).unwrap_err();
    assert!(error.contains("Only one image is allowed") && !error.contains('\n'), "{error}");
}

#[test]
fn hostile_templates_end_in_one_line() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000));
    let nested = "{% if true %}".repeat(30_000);
    for (template, part) in [
        ("x".repeat((1 << 20) + 1), "more than"),
        (deep, "a tag has more than"),
        (nested, "chat template"),
        ("{% for a in range(99999999) %}{% endfor %}".into(), "chat template"),
        (
            "{% set ns = namespace(t='x') %}{% for i in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}"
                .into(),
            "chat template",
        ),
        ("{{ ('x' * 999999999) }}".into(), "chat template"),
    ] {
        let error = rendered(&template, &[]).unwrap_err();
        assert!(error.contains(part) && !error.contains('\n'), "{}", &error[..error.len().min(300)]);
        assert!(error.len() < 2000, "{} bytes", error.len());
    }
}
