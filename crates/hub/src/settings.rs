//! Where the hub is, who asks, and where files are kept: from the variables that huggingface_hub reads.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::expand::expanded;

/// A file with an access token is smaller than this.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

/// Settings of one [`crate::resolve`].
#[derive(Clone)]
pub struct HubSettings {
    /// Folder that holds `models--org--name` folders, shared with huggingface_hub.
    pub cache_dir: PathBuf,
    /// Folder for what longsight makes itself: the built-in model, unpacked.
    pub own_cache_dir: PathBuf,
    /// Access token; sent to the endpoint's own host and nowhere else.
    pub token: Option<String>,
    /// Base address without a trailing slash, `https://huggingface.co` by default.
    pub endpoint: String,
    /// Never touch the network: only the cache is asked.
    pub offline: bool,
    /// Branch, tag or commit for names that bring no `@revision` of their own.
    pub revision: String,
    /// Honour `HTTPS_PROXY`, `ALL_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    pub proxy_from_env: bool,
    /// PEM file with the certificate authorities to trust in place of the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// Retries, waits and time-outs.
    pub patience: Patience,
}

/// How long to wait for the server and how often to ask it again.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Attempts without any progress before giving up.
    pub attempts: u32,
    /// Wait before the second attempt; doubled before each later one.
    pub first_backoff: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest silence of the server; a download as a whole has no limit.
    pub idle_timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_backoff: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
        }
    }
}

impl HubSettings {
    /// Settings from the process environment; see [`HubSettings::from_lookup`].
    pub fn from_env() -> Self {
        Self::from_lookup(&|name| match (std::env::var(name).ok(), name) {
            // As Python's expanduser: without the variable, the home folder that the system knows.
            (None, "HOME") => std::env::home_dir().and_then(|home| home.into_os_string().into_string().ok()),
            (value, _) => value,
        })
    }

    /// Settings from a lookup of variables, in the order in which huggingface_hub asks for them: `HF_HUB_CACHE` (else
    /// `HUGGINGFACE_HUB_CACHE`, else `$HF_HOME/hub`), `HF_HOME` (else `$XDG_CACHE_HOME/huggingface`, else
    /// `~/.cache/huggingface`), `HF_TOKEN` (else `HUGGING_FACE_HUB_TOKEN`, else the file `HF_TOKEN_PATH`, else
    /// `$HF_HOME/token`), `HF_ENDPOINT`, `HF_HUB_OFFLINE` (else `TRANSFORMERS_OFFLINE`; 1, true, yes, on). Of our own:
    /// `LONGSIGHT_CACHE` (else `$XDG_CACHE_HOME/longsight`, else `~/.cache/longsight`), and `SSL_CERT_FILE`.
    ///
    /// Paths are expanded as there: `~`, `~user`, `$NAME` and `${NAME}`. An empty variable counts as unset.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| lookup(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let path = |name: &str| var(name).map(|value| expanded(&value, lookup));
        let user_cache = path("XDG_CACHE_HOME").unwrap_or_else(|| expanded("~", lookup).join(".cache"));
        let hf_home = path("HF_HOME").unwrap_or_else(|| user_cache.join("huggingface"));
        let hub_cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let token_path = path("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
        let token_in_file = || {
            let text = longsight_text::read_text(&token_path, MAX_TOKEN_BYTES).ok()?;
            Some(text.trim().to_owned()).filter(|t| !t.is_empty())
        };
        Self {
            cache_dir: hub_cache.unwrap_or_else(|| hf_home.join("hub")),
            own_cache_dir: path("LONGSIGHT_CACHE").unwrap_or_else(|| user_cache.join("longsight")),
            token: var("HF_TOKEN").or_else(|| var("HUGGING_FACE_HUB_TOKEN")).or_else(token_in_file),
            endpoint: var("HF_ENDPOINT")
                .map(|v| v.trim_end_matches('/').to_owned())
                .unwrap_or_else(|| "https://huggingface.co".to_owned()),
            offline: var("HF_HUB_OFFLINE")
                .or_else(|| var("TRANSFORMERS_OFFLINE"))
                .is_some_and(|v| is_true(&v)),
            revision: "main".to_owned(),
            proxy_from_env: true,
            ca_file: path("SSL_CERT_FILE"),
            patience: Patience::default(),
        }
    }
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
}

impl fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSettings")
            .field("cache_dir", &self.cache_dir)
            .field("own_cache_dir", &self.own_cache_dir)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("endpoint", &self.endpoint)
            .field("offline", &self.offline)
            .field("revision", &self.revision)
            .field("proxy_from_env", &self.proxy_from_env)
            .field("ca_file", &self.ca_file)
            .field("patience", &self.patience)
            .finish()
    }
}
