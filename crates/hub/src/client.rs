//! HTTP to the hub: redirects followed here, hop by hop, so that the token reaches the endpoint's host only.

use serde::Deserialize;
use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, LOCATION, RANGE};
use ureq::http::{HeaderValue, Response, Uri};
use ureq::{Agent, Body};

use crate::agent::agent;
use crate::name::{RepoName, blob_name, is_commit, percent_encode};
use crate::retry::{Backoff, Failure};
use crate::{HubError, HubSettings};

const MAX_REDIRECTS: usize = 10;
/// A repository's listing is some kilobytes; a mirror that sends more is broken.
const MAX_LISTING_BYTES: u64 = 16 << 20;

/// A commit and the names of its files.
pub(crate) struct Listing {
    pub(crate) commit: String,
    pub(crate) files: Vec<String>,
}

/// What the hub says about one file before it is downloaded.
#[derive(Clone, Debug)]
pub(crate) struct FileMeta {
    pub(crate) file: String,
    /// Name of the blob; the SHA-256 of its bytes for LFS files.
    pub(crate) etag: String,
    pub(crate) size_bytes: Option<u64>,
}

pub(crate) struct Client<'a> {
    agent: Agent,
    endpoint: Uri,
    token: Option<HeaderValue>,
    settings: &'a HubSettings,
    repo: &'a RepoName,
}

#[derive(Clone, Copy, PartialEq)]
enum Hops {
    /// Stop at the first redirect that leaves the endpoint: its headers describe the file.
    WithinEndpoint,
    Anywhere,
}

impl<'a> Client<'a> {
    pub(crate) fn new(settings: &'a HubSettings, repo: &'a RepoName) -> Result<Self, HubError> {
        let bad = |setting, problem: &str| HubError::BadSetting { setting, problem: problem.to_owned() };
        let endpoint: Uri = settings.endpoint.parse().unwrap_or_default();
        if !matches!(endpoint.scheme_str(), Some("http" | "https")) || endpoint.query().is_some() {
            return Err(bad("HF_ENDPOINT", "give an address like https://huggingface.co"));
        }
        let token = settings.token.as_ref().map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| bad("HF_TOKEN", "it holds characters that no token has"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { agent: agent(settings)?, endpoint, token: token.transpose()?, settings, repo })
    }

    /// The commit that the revision stands for, and its files.
    pub(crate) fn listing(&self) -> Result<Listing, HubError> {
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        #[derive(Deserialize)]
        struct ModelInfo {
            sha: String,
            siblings: Vec<Sibling>,
        }
        let revision = percent_encode(&self.repo.revision);
        let url = format!("{}/api/models/{}/revision/{revision}", self.settings.endpoint, self.repo.id);
        let text = self.with_retries(|| {
            let (mut response, _) = self.send("GET", &url, None, Hops::Anywhere, &self.repo.id)?;
            let read = response.body_mut().with_config().limit(MAX_LISTING_BYTES).read_to_vec();
            read.map_err(|e| self.failure(&self.endpoint, e))
        })?;
        let bad = |problem: String| self.bad_answer(&self.endpoint, &self.repo.id, problem);
        let info: ModelInfo =
            serde_json::from_slice(&text).map_err(|e| bad(format!("not a model's listing ({e})")))?;
        if !is_commit(&info.sha) {
            return Err(bad(format!("{:?} is no commit", info.sha)));
        }
        Ok(Listing { commit: info.sha, files: info.siblings.into_iter().map(|s| s.rfilename).collect() })
    }

    /// Name, size and checksum of one file.
    pub(crate) fn file_meta(&self, commit: &str, file: &str) -> Result<FileMeta, HubError> {
        let url = self.file_url(commit, file);
        let (response, host) =
            self.with_retries(|| self.send("HEAD", &url, None, Hops::WithinEndpoint, file))?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let bad = |problem: &str| self.bad_answer(&host, file, problem.to_owned());
        if header("x-repo-commit").is_some_and(|c| c != commit) {
            return Err(bad("it belongs to another commit"));
        }
        let etag = header("x-linked-etag").or_else(|| header("etag")).and_then(blob_name);
        // A redirect's own length is not the file's.
        let length = header("content-length").filter(|_| response.status().is_success());
        let size = header("x-linked-size").or(length).map(str::parse::<u64>);
        Ok(FileMeta {
            file: file.to_owned(),
            etag: etag.ok_or_else(|| bad("no usable ETag"))?,
            size_bytes: size.transpose().map_err(|_| bad("its size is not a number"))?,
        })
    }

    /// Starts one download from byte `from`; the answer's status is 200, 206 or 416.
    pub(crate) fn download(&self, commit: &str, file: &str, from: u64) -> Result<Response<Body>, Failure> {
        let from = (from > 0).then_some(from);
        Ok(self.send("GET", &self.file_url(commit, file), from, Hops::Anywhere, file)?.0)
    }

    fn file_url(&self, commit: &str, file: &str) -> String {
        format!("{}/{}/resolve/{commit}/{}", self.settings.endpoint, self.repo.id, percent_encode(file))
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        range_from: Option<u64>,
        hops: Hops,
        what: &str,
    ) -> Result<(Response<Body>, Uri), Failure> {
        let bad = |host: &Uri, problem: &str| self.bad_answer(host, what, problem.to_owned());
        let mut url: Uri = url.parse().map_err(|_| bad(&self.endpoint, "the address is not valid"))?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_once(method, &url, range_from)?;
            if !response.status().is_redirection() {
                return self.checked(response, url, what);
            }
            let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
            let next =
                location.and_then(|l| join(&url, l)).ok_or_else(|| bad(&url, "a redirect to nowhere"))?;
            if url.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(bad(&url, "a redirect away from https").into());
            }
            if hops == Hops::WithinEndpoint && !self.is_endpoint(&next) {
                return Ok((response, url));
            }
            url = next;
        }
        Err(bad(&url, "too many redirects").into())
    }

    fn send_once(&self, method: &str, url: &Uri, from: Option<u64>) -> Result<Response<Body>, Failure> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(url).header(ACCEPT_ENCODING, "identity");
        if let Some(token) = self.token.as_ref().filter(|_| self.is_endpoint(url)) {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(from) = from {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let request = request.body(()).map_err(ureq::Error::from);
        request.and_then(|request| self.agent.run(request)).map_err(|e| self.failure(url, e))
    }

    /// Turns a refusal into an error that says what to do.
    fn checked(
        &self,
        response: Response<Body>,
        url: Uri,
        what: &str,
    ) -> Result<(Response<Body>, Uri), Failure> {
        let status = response.status().as_u16();
        if matches!(status, 200 | 206 | 416) {
            return Ok((response, url));
        }
        let repo = self.repo.id.clone();
        let server = HubError::Server { host: host(&url), status, what: what.to_owned() };
        let code = response.headers().get("x-error-code").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let page = format!("{}/{repo}", self.settings.endpoint);
        // A storage host refuses when its signed address has run out: the next attempt gets a fresh one.
        if matches!(status, 401 | 403) && !self.is_endpoint(&url) {
            return Err(Failure::Transient(server));
        }
        Err(match (status, code) {
            (401 | 403, "GatedRepo") | (403, _) => HubError::Forbidden { repo, page }.into(),
            (401, _) => HubError::Unauthorized { repo, had_token: self.token.is_some() }.into(),
            (404, _) if what != repo => HubError::MissingFile { repo, file: what.to_owned() }.into(),
            (404, _) => {
                let (revision, endpoint) = (self.repo.revision.clone(), self.settings.endpoint.clone());
                HubError::NotFound { repo, revision, endpoint }.into()
            }
            (408 | 429 | 500..=599, _) => Failure::Transient(server),
            _ => Failure::Fatal(server),
        })
    }

    fn is_endpoint(&self, url: &Uri) -> bool {
        let port = |u: &Uri| u.port_u16().unwrap_or(if u.scheme_str() == Some("https") { 443 } else { 80 });
        url.scheme() == self.endpoint.scheme()
            && url.host().map(str::to_ascii_lowercase) == self.endpoint.host().map(str::to_ascii_lowercase)
            && port(url) == port(&self.endpoint)
    }

    fn failure(&self, url: &Uri, error: ureq::Error) -> Failure {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, InvalidData, NetworkUnreachable};
        let cause = match &error {
            ureq::Error::Io(e) if e.kind() == InvalidData => {
                format!("{e}; behind a proxy with its own certificates set SSL_CERT_FILE")
            }
            ureq::Error::Io(e) => e.to_string(),
            other => other.to_string(),
        };
        let unreachable = HubError::Unreachable { host: host(url), cause };
        match error {
            ureq::Error::Io(e)
                if matches!(
                    e.kind(),
                    ConnectionRefused | HostUnreachable | NetworkUnreachable | InvalidData
                ) =>
            {
                Failure::NoConnection(unreachable)
            }
            ureq::Error::Io(_) => Failure::Transient(unreachable),
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Tls(_)
            | ureq::Error::Rustls(_) => Failure::NoConnection(unreachable),
            ureq::Error::Timeout(_) => Failure::Transient(unreachable),
            other => Failure::Transient(self.bad_answer(url, &self.repo.id, other.to_string())),
        }
    }

    fn bad_answer(&self, url: &Uri, what: &str, problem: String) -> HubError {
        HubError::BadAnswer { host: host(url), what: what.to_owned(), problem }
    }

    fn with_retries<T>(&self, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, HubError> {
        let mut backoff = Backoff::new(&self.settings.patience);
        loop {
            match attempt() {
                Err(Failure::Transient(_)) if backoff.wait() => {}
                result => return result.map_err(Failure::into_error),
            }
        }
    }
}

fn host(url: &Uri) -> String {
    url.authority()
        .map(|a| a.host().to_owned() + &a.port().map(|p| format!(":{p}")).unwrap_or_default())
        .unwrap_or_default()
}

/// The address that a `Location` header means; relative ones as the hub sends them (from the root).
fn join(base: &Uri, location: &str) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    let absolute = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{}{location}", base.authority()?)
    } else {
        location.to_owned()
    };
    let url: Uri = absolute.parse().ok()?;
    (matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()).then_some(url)
}
