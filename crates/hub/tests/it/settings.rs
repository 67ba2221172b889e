//! The variables that huggingface_hub reads mean the same here.

use std::path::Path;

use longsight_hub::HubSettings;

fn from(vars: &[(&str, &str)]) -> HubSettings {
    HubSettings::from_lookup(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

#[test]
fn the_cache_is_where_huggingface_hub_keeps_it() {
    let cache = |vars: &[(&str, &str)]| from(vars).cache_dir;
    assert_eq!(cache(&[("HOME", "/u")]), Path::new("/u/.cache/huggingface/hub"));
    assert_eq!(cache(&[("HOME", "/u"), ("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
    assert_eq!(cache(&[("HOME", "/u"), ("HF_HOME", "/h")]), Path::new("/h/hub"));
    assert_eq!(cache(&[("HOME", "/u"), ("HF_HOME", "~/h")]), Path::new("/u/h/hub"));
    assert_eq!(cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")]), Path::new("/c"));
    let old = ("HUGGINGFACE_HUB_CACHE", "~/old");
    assert_eq!(cache(&[("HOME", "/u"), ("HF_HOME", "/h"), old]), Path::new("/u/old"));
    assert_eq!(cache(&[("HOME", "/u"), ("HF_HUB_CACHE", "/c"), old]), Path::new("/c"));
    let disk = ("DISK", "/mnt/d");
    assert_eq!(cache(&[disk, ("HF_HUB_CACHE", "$DISK/hub")]), Path::new("/mnt/d/hub"));
    assert_eq!(cache(&[disk, ("HF_HOME", "${DISK}/hf")]), Path::new("/mnt/d/hf/hub"));
    assert_eq!(cache(&[disk, ("XDG_CACHE_HOME", "$DISK")]), Path::new("/mnt/d/huggingface/hub"));
    assert_eq!(cache(&[("HOME", "/u"), ("HF_HOME", "")]), Path::new("/u/.cache/huggingface/hub"));
}

#[test]
fn the_token_comes_from_the_variable_or_the_file() {
    let home = tempfile::tempdir().unwrap();
    let other = home.path().join("other");
    std::fs::write(home.path().join("token"), "hf_in_home\n").unwrap();
    std::fs::write(&other, "hf_other").unwrap();
    let hf_home = ("HF_HOME", home.path().to_str().unwrap());
    let token = |vars: &[(&str, &str)]| from(vars).token;
    assert_eq!(token(&[hf_home]).as_deref(), Some("hf_in_home"));
    assert_eq!(token(&[hf_home, ("HF_TOKEN_PATH", other.to_str().unwrap())]).as_deref(), Some("hf_other"));
    assert_eq!(token(&[hf_home, ("HF_TOKEN", " hf_var ")]).as_deref(), Some("hf_var"));
    assert_eq!(token(&[hf_home, ("HUGGING_FACE_HUB_TOKEN", "hf_old")]).as_deref(), Some("hf_old"));
    assert_eq!(token(&[("HF_HOME", "/nowhere")]), None);
}

#[test]
fn endpoint_and_offline_are_read() {
    assert_eq!(from(&[]).endpoint, "https://huggingface.co");
    assert_eq!(from(&[("HF_ENDPOINT", "https://mirror.example/")]).endpoint, "https://mirror.example");
    for yes in ["1", "true", "YES", "On"] {
        assert!(from(&[("HF_HUB_OFFLINE", yes)]).offline, "{yes}");
    }
    assert!(from(&[("TRANSFORMERS_OFFLINE", "1")]).offline);
    assert!(!from(&[("TRANSFORMERS_OFFLINE", "1"), ("HF_HUB_OFFLINE", "0")]).offline);
    for no in ["0", "false", "", "off"] {
        assert!(!from(&[("HF_HUB_OFFLINE", no)]).offline, "{no}");
    }
}

#[test]
fn the_token_is_not_in_the_debug_output() {
    let settings = from(&[("HF_TOKEN", "hf_secret")]);
    assert!(!format!("{settings:?}").contains("hf_secret"));
}
