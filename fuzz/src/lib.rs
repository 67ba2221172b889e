//! The entry functions of the fuzz targets: each takes any bytes and has to return, whatever they are. The tests replay the
//! seeds in `seeds/` through the same functions, on a stable compiler.

use std::path::Path;

use longsight_models::processor::{ChatTemplate, Conversation, Role, TemplateKind, Turn};
use longsight_models::{Description, LoadSettings, ModelConfig};
use longsight_text::TextEncoding;
use longsight_video::SubtitleTrack;

/// A target's name with its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them; each has its seeds in `seeds/NAME`.
pub const TARGETS: [Target; 8] = [
    ("subtitles", subtitles),
    ("probe", probe),
    ("config", config),
    ("names", names),
    ("safetensors", safetensors),
    ("gguf", gguf),
    ("requests", requests),
    ("template", template),
];

/// A subtitle file.
pub fn subtitles(data: &[u8]) {
    for encoding in [None, Some(TextEncoding::UTF_8)] {
        let subtitles = longsight_video::parse_subtitles(data, encoding);
        let sorted = subtitles.cues.windows(2).all(|pair| pair[0].start <= pair[1].start);
        let whole = subtitles.cues.iter().all(|cue| cue.start <= cue.end && !cue.text.is_empty());
        assert!(sorted && whole, "cues out of order, or empty");
    }
}

/// What ffprobe prints of a file: a header in JSON, an empty line, lines of packets.
pub fn probe(data: &[u8]) {
    longsight_video::fuzzing::probe_tables(data);
}

/// A checkpoint's config.json.
pub fn config(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    if std::fs::write(folder.path().join("config.json"), data).is_ok() {
        one_line(ModelConfig::read(folder.path()).err());
    }
}

/// What is typed as a model, an encoding, a subtitle track or a folder of the hub's cache.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = text.parse::<TextEncoding>();
    let _ = text.parse::<SubtitleTrack>();
    let line = longsight_text::shown(text);
    assert!(
        !line.contains(char::is_control) && line.chars().count() <= longsight_text::MAX_SHOWN_CHARS,
        "{line:?}"
    );
    let lookup = |name: &str| match name {
        "HF_HUB_OFFLINE" => Some("1".to_owned()),
        "HF_HOME" | "HF_TOKEN_PATH" => Some("/nowhere/longsight-fuzz".to_owned()),
        "HUGGINGFACE_HUB_CACHE" => Some(format!("/nowhere/longsight-fuzz/{text}")),
        _ => None,
    };
    let settings = longsight_hub::HubSettings::from_lookup(&lookup);
    // What is there already, or built in, is no name.
    if text != longsight_hub::BUILT_IN && !Path::new(text).exists() {
        one_line(longsight_hub::resolve(text, &settings, &longsight_hub::NoProgress).err());
    }
}

/// A file of weights.
pub fn safetensors(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    if std::fs::write(folder.path().join("model.safetensors"), data).is_ok() {
        one_line(longsight_models::weights::Checkpoint::open(folder.path()).err());
    }
}

/// A GGUF file of a language model alone.
pub fn gguf(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("model.gguf");
    if std::fs::write(&path, data).is_ok() {
        one_line(Description::read(&path, &LoadSettings::default()).err());
    }
}

/// The body of a request to the server.
pub fn requests(data: &[u8]) {
    longsight_server::fuzzing::requests(data);
}

/// A checkpoint's chat template.
pub fn template(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    if std::fs::write(folder.path().join("chat_template.jinja"), data).is_err() {
        return;
    }
    match ChatTemplate::read(folder.path()) {
        Err(error) => one_line(Some(error)),
        Ok(template) => {
            let turns = [Turn { role: Role::User, content: "What happens?".to_owned() }];
            let conversation = Conversation::from(&turns[..]);
            one_line(template.render(&*family(), TemplateKind::Checkpoint, &conversation).err());
        }
    }
}

/// The built-in model's family.
fn family() -> std::sync::Arc<dyn longsight_models::family::Family> {
    static CONFIG: std::sync::OnceLock<ModelConfig> = std::sync::OnceLock::new();
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("assets/tiny").is_dir());
    let read = || ModelConfig::read(&folder.unwrap_or(Path::new(".")).join("assets/tiny"));
    #[allow(clippy::expect_used)]
    CONFIG.get_or_init(|| read().expect("the built-in model's configuration")).family.clone()
}

/// Errors are one line each.
fn one_line(error: Option<impl std::fmt::Display>) {
    if let Some(error) = error {
        let line = error.to_string();
        assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
    }
}
