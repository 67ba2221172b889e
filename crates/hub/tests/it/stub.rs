//! A hub with one model, its large files kept by a second host ("storage"), and settings that lead there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longsight_hub::{DownloadProgress, HubError, HubSettings, ModelFolder, NoProgress, Patience, resolve};
use sha2::{Digest, Sha256};

use crate::http::{Reply, Request, Server};

pub const MODEL: &str = "lab/tiny";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const TOKEN: &str = "hf_secret";

/// `None`: the stub answers as a hub does.
pub type Quirk = Box<dyn Fn(&Request) -> Option<Reply> + Send + Sync>;

#[derive(Clone)]
pub struct Repo {
    pub files: Vec<(String, Vec<u8>)>,
}

impl Repo {
    /// Two shards, an index, a configuration, a tokenizer, and files that nobody wants.
    pub fn sharded() -> Self {
        let index = r#"{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#;
        Self { files: Vec::new() }
            .file("README.md", "read me")
            .file("config.json", r#"{"model_type":"llava_onevision"}"#)
            .file("tokenizer.json", "{}")
            .file("model.safetensors.index.json", index)
            .file("model-1.safetensors", noise(1, 700_001))
            .file("model-2.safetensors", noise(2, 300_000))
            .file("pytorch_model.bin", "never")
            .file("onnx/config.json", "never")
    }

    /// One weight file of 600,000 bytes.
    pub fn single() -> Self {
        Self { files: Vec::new() }.file("config.json", "{}").file("model.safetensors", noise(3, 600_000))
    }

    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    pub fn content(&self, name: &str) -> &[u8] {
        self.find(|n, _| n == name).expect("the stub has the file")
    }

    fn find(&self, matches: impl Fn(&str, &[u8]) -> bool) -> Option<&[u8]> {
        self.files.iter().find(|(n, c)| matches(n, c)).map(|(_, content)| content.as_slice())
    }

    fn listing(&self) -> String {
        let names: Vec<_> =
            self.files.iter().map(|(n, _)| format!("{{\"rfilename\":{}}}", json_string(n))).collect();
        format!("{{\"sha\":\"{COMMIT}\",\"siblings\":[{}]}}", names.join(","))
    }
}

pub struct Stub {
    pub repo: Repo,
    pub hub: Server,
    pub storage: Server,
    pub home: tempfile::TempDir,
}

impl Stub {
    pub fn new(repo: Repo) -> Self {
        Self::with_quirks(repo, Box::new(|_| None), Box::new(|_| None))
    }

    pub fn hub_quirk(repo: Repo, quirk: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::with_quirks(repo, Box::new(quirk), Box::new(|_| None))
    }

    pub fn storage_quirk(
        repo: Repo,
        quirk: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::with_quirks(repo, Box::new(|_| None), Box::new(quirk))
    }

    pub fn with_quirks(repo: Repo, hub_quirk: Quirk, storage_quirk: Quirk) -> Self {
        let stored = repo.clone();
        let storage = Server::start(move |request| {
            storage_quirk(request).unwrap_or_else(|| {
                let content = stored.find(|_, c| request.path == format!("/blob/{}", sha256(c)));
                content.map_or_else(|| Reply::new(404, "no blob"), |c| Reply::ranged(request, c))
            })
        });
        let (listed, storage_address) = (repo.clone(), storage.address.clone());
        let hub = Server::start(move |request| {
            hub_quirk(request).unwrap_or_else(|| hub_reply(&listed, &storage_address, request))
        });
        Self { repo, hub, storage, home: tempfile::tempdir().unwrap() }
    }

    pub fn settings(&self) -> HubSettings {
        settings(self.home.path(), &self.hub.address)
    }

    pub fn resolve(&self) -> Result<ModelFolder, HubError> {
        resolve(MODEL, &self.settings(), &NoProgress)
    }

    pub fn repo_dir(&self) -> PathBuf {
        self.home.path().join("hub/models--lab--tiny")
    }

    pub fn snapshot(&self) -> PathBuf {
        self.repo_dir().join("snapshots").join(COMMIT)
    }

    pub fn incomplete(&self, file: &str) -> PathBuf {
        self.repo_dir().join("blobs").join(format!("{}.incomplete", sha256(self.repo.content(file))))
    }

    /// Leaves the first bytes of a file as an earlier, broken run would.
    pub fn leave_partial(&self, file: &str, bytes: &[u8]) {
        let path = self.incomplete(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn assert_file(&self, name: &str) {
        let got = std::fs::read(self.snapshot().join(name)).unwrap();
        assert!(got == self.repo.content(name), "{name} differs from the hub's");
    }
}

pub fn settings(home: &Path, endpoint: &str) -> HubSettings {
    let mut settings = HubSettings::from_lookup(&|name| match name {
        "HF_HOME" => Some(home.display().to_string()),
        "HF_ENDPOINT" => Some(endpoint.to_owned()),
        "HF_TOKEN" => Some(TOKEN.to_owned()),
        _ => None,
    });
    settings.proxy_from_env = false;
    settings.patience =
        Patience { attempts: 3, first_backoff: Duration::from_millis(1), ..Patience::default() };
    settings
}

fn hub_reply(repo: &Repo, storage: &str, request: &Request) -> Reply {
    if request.path == format!("/api/models/{MODEL}/revision/main") {
        return Reply::new(200, repo.listing()).with("Content-Type", "application/json");
    }
    let name = request.path.strip_prefix(&format!("/{MODEL}/resolve/{COMMIT}/")).unwrap_or_default();
    let Some(content) = repo.find(|n, _| n == name) else { return Reply::new(404, "no such file") };
    if name.ends_with(".safetensors") {
        let sha = sha256(content);
        return Reply::new(302, "elsewhere")
            .with("Location", format!("{storage}/blob/{sha}"))
            .with("X-Repo-Commit", COMMIT)
            .with("ETag", "\"of-the-redirect\"")
            .with("X-Linked-Etag", format!("\"{sha}\""))
            .with("X-Linked-Size", content.len());
    }
    let etag = &sha256(content)[..40];
    Reply::ranged(request, content).with("X-Repo-Commit", COMMIT).with("ETag", format!("\"{etag}\""))
}

pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect()
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

fn json_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", c as u32),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

/// Remembers what it is told, as lines.
#[derive(Default)]
pub struct Recorder {
    pub lines: Mutex<Vec<String>>,
    pub bytes: Mutex<u64>,
}

impl DownloadProgress for Recorder {
    fn start(&self, file: &str, total_bytes: Option<u64>, already_bytes: u64) {
        self.lines.lock().unwrap().push(format!("start {file} {total_bytes:?} {already_bytes}"));
    }

    fn advance(&self, bytes: u64) {
        *self.bytes.lock().unwrap() += bytes;
    }

    fn finish(&self) {
        self.lines.lock().unwrap().push("finish".to_owned());
    }
}

/// True for the first `count` calls.
pub fn first(count: usize) -> impl Fn() -> bool + Send + Sync + 'static {
    let left = Arc::new(Mutex::new(count));
    move || {
        let mut left = left.lock().unwrap();
        let now = *left > 0;
        *left = left.saturating_sub(1);
        now
    }
}
