//! Tokenizers and chat templates.

use super::{assert_message, golden, refused};
use crate::folder::Folder;
use longsight_models::ModelError;
use longsight_models::families::llava::Llava;
use longsight_models::processor::{ChatTemplate, PromptText, Role, TemplateKind, TextTokenizer, Turn};
use serde_json::json;

#[test]
fn tokenizer_missing() {
    let folder = golden();
    folder.remove("tokenizer.json");
    refused(&folder, &["tokenizer.json", "no such file"]);
}

#[test]
fn tokenizer_broken() {
    for content in
        [&b""[..], b"{}", b"[1]", b"\xff\xfe\x00", b"{\"version\": \"1.0\", \"model\": {\"type\": \"BPE\"}}"]
    {
        let folder = golden();
        folder.write("tokenizer.json", content);
        refused(&folder, &["tokenizer.json", "not a tokenizer"]);
    }
}

/// Parts of other tokenizers, whose code never meets a checkpoint.
#[test]
fn tokenizer_parts_that_no_family_uses() {
    for (pointer, part, named) in [
        ("/model/type", json!("Unigram"), "its model is Unigram; longsight reads BPE"),
        (
            "/normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": ""}),
            "normalizer is Precompiled",
        ),
        ("/pre_tokenizer", json!({"type": "BertPreTokenizer"}), "pre_tokenizer is BertPreTokenizer"),
        (
            "/pre_tokenizer",
            json!({"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}]}),
            "pre_tokenizer is UnicodeScripts",
        ),
        ("/decoder", json!({"type": "CTC"}), "decoder is CTC"),
        ("/post_processor", json!({"type": "BertProcessing"}), "post_processor is BertProcessing"),
        ("/normalizer", json!({"type": "Prepend", "prepend": "x".repeat(99)}), "far too long"),
        ("/normalizer", json!([1]), "normalizer is without a type"),
    ] {
        let folder = golden();
        folder.edit("tokenizer.json", |tokenizer| *tokenizer.pointer_mut(pointer).unwrap() = part);
        refused(&folder, &["tokenizer.json", named]);
    }
}

#[test]
fn merges_are_never_left_out_at_random() {
    let (plain, random) = (golden(), golden());
    random.edit("tokenizer.json", |tokenizer| tokenizer["model"]["dropout"] = json!(0.9));
    let ids = |folder: &Folder| {
        let tokenizer = TextTokenizer::read(folder.path(), &[], "").unwrap();
        tokenizer.encode("The cat sat on the mat, and the mat on the cat.").unwrap()
    };
    assert_eq!(ids(&random), ids(&plain));
}

#[test]
fn split_tokenizer_files_broken() {
    let folder = |vocab: &str, merges: &str| {
        let folder = golden();
        folder.remove("tokenizer.json").write("vocab.json", vocab).write("merges.txt", merges);
        folder
    };
    refused(&folder("[]", ""), &["vocab.json", "not a JSON object"]);
    refused(&folder("{\"a\": -1}", ""), &["vocab.json", "not a tokenizer"]);
    refused(&folder("{\"a\": 0}", "#version: 0.2\na\n"), &["merges.txt", "line 2"]);
    refused(&folder("{\"a\": 0}", "a b c\n"), &["merges.txt", "line 1"]);
    refused(&folder("{\"a\": 0}", "x y\n"), &["vocab.json", "not a tokenizer"]);
    let without_merges = golden();
    without_merges.remove("tokenizer.json").write("vocab.json", "{}");
    refused(&without_merges, &["merges.txt", "no such file"]);
    let bad_added = folder("{\"a\": 0}", "");
    bad_added
        .edit("tokenizer_config.json", |c| c["added_tokens_decoder"] = json!({"first": {"content": "x"}}));
    refused(&bad_added, &["tokenizer_config.json", "`first`"]);
}

#[test]
fn ids_outside_the_vocabulary() {
    let model = golden().load().unwrap();
    assert_message(&model.decoder().embed(&[1, 296]).err().unwrap(), &["token 296", "vocabulary of 296"]);
    assert_message(&model.decoder().embed(&[u32::MAX]).err().unwrap(), &["token 4294967295"]);
    model.decoder().embed(&[295]).unwrap();
}

fn render(template: &str) -> Result<PromptText, ModelError> {
    let folder = Folder::empty();
    folder.write("chat_template.jinja", template);
    let turns = [Turn { role: Role::User, content: "What is <video>?".into() }];
    ChatTemplate::read(folder.path())?.render(&Llava::OneVision, TemplateKind::Checkpoint, &turns[..].into())
}

#[test]
fn chat_template_without_end() {
    let range = "{% for i in range(100000) %}";
    let endless = format!("{range}{range}x{{% endfor %}}{{% endfor %}}");
    assert_message(&render(&endless).unwrap_err(), &["chat template", "`trained` template"]);
    let recursion = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
    assert_message(&render(recursion).unwrap_err(), &["chat template"]);
}

#[test]
fn chat_template_that_fills_memory() {
    let text = "{% for i in range(10000) %}{{ 'x' * 100000 }}{% endfor %}";
    assert_message(&render(text).unwrap_err(), &["chat template"]);
    assert_message(&render("{{ 'x' * 1000000000000 }}").unwrap_err(), &["chat template"]);
}

#[test]
fn chat_template_with_a_syntax_error() {
    for text in
        ["{% if %}", "{{ messages[", "{% for a in b %}", "{{ undefined_function() }}", "{% nothing %}"]
    {
        assert_message(
            &render(text).unwrap_err(),
            &["chat template of the checkpoint", "`trained` template"],
        );
    }
}

#[test]
fn chat_template_without_a_place_for_the_video() {
    let no_place = ["{{ messages[0].role }}", "{{ messages[0].content[1].text }}", ""]; // the text says <video>
    for text in no_place {
        assert_message(&render(text).unwrap_err(), &["no place for a video"]);
    }
    let text = render("{{ messages[0].content[1].text }} <video>").unwrap();
    assert_eq!((text.before.as_str(), text.after.as_str()), ("What is <video>? ", ""));
}

#[test]
fn chat_template_that_is_not_text() {
    let folder = golden();
    folder.write("chat_template.jinja", b"\xff\xff");
    refused(&folder, &["chat_template.jinja", "not UTF-8"]);
    let folder = golden();
    folder.write("chat_template.json", "{");
    refused(&folder, &["chat_template.json", "not valid JSON"]);
}

#[test]
fn the_default_of_several_named_chat_templates() {
    let folder = golden();
    let named = json!([{"name": "tools", "template": "no"}, {"name": "default", "template": "<video>yes"}]);
    folder.remove("chat_template.json");
    folder.edit("tokenizer_config.json", |config| config["chat_template"] = named);
    let turns = [Turn { role: Role::User, content: String::new() }];
    let text = folder
        .load()
        .unwrap()
        .template()
        .render(&Llava::OneVision, TemplateKind::Checkpoint, &turns[..].into())
        .unwrap();
    assert_eq!((text.before.as_str(), text.after.as_str()), ("", "yes"));
}
