//! `longsight serve` over real HTTP.

mod answers;
mod errors;
mod files;
mod hostile;
mod life;
mod limits;
mod wire;

use crate::program::{Program, assert_names, ids, longsight};
use crate::video::{clip, clip_bytes};
use longsight_testkit::golden::checkpoint_dir;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

/// A server of a golden checkpoint, killed when dropped.
struct Server {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

struct Reply {
    status: u16,
    headers: ureq::http::HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// The message of an error in OpenAI's shape.
    #[track_caller]
    fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let error = &self.json()["error"];
        assert!(
            error["type"].is_string() && error.get("param").is_some() && error.get("code").is_some(),
            "{error}"
        );
        error["message"].as_str().unwrap().to_owned()
    }
}

impl Server {
    fn start(flags: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), flags)
    }

    fn in_folder(folder: tempfile::TempDir, flags: &str) -> Self {
        let program = Self::program(folder.path(), flags);
        Self::run(folder, program)
    }

    fn program(folder: &std::path::Path, flags: &str) -> Program {
        longsight("serve")
            .arg("--model")
            .arg(checkpoint_dir("d32-gqa-tied"))
            .args("--dtype f32 --port 0 --max-new-tokens 6 --frames 4 --uploads")
            .arg(folder.join("uploads"))
            .arg("--index-dir")
            .arg(folder.join("index"))
            .args(flags)
    }

    fn run(folder: tempfile::TempDir, program: Program) -> Self {
        let mut command = program.command();
        command
            .env_remove("LONGSIGHT_API_KEY")
            .env_remove("LONGSIGHT_INDEX")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on http://") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server ended");
        }
        let address = line.split("http://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        // Someone must read the log, or the server would wait for it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address, folder }
    }

    fn call(&self, method: &str, path: &str, kind: &str, body: &[u8], key: Option<&str>) -> Reply {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = agent.run(request.body(body).unwrap()).unwrap();
        let headers = response.headers().clone();
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        Reply { status: response.status().as_u16(), headers, body }
    }

    fn get(&self, path: &str) -> Reply {
        self.call("GET", path, "", &[], None)
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, "application/json", body.to_string().as_bytes(), None)
    }

    /// Uploads in one form; returns the id.
    fn upload(&self, bytes: &[u8]) -> String {
        let reply = self.form(bytes);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    fn form(&self, bytes: &[u8]) -> Reply {
        let head = "--edge\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--edge\r\n\
                    Content-Disposition: form-data; name=\"file\"; filename=\"clip.mp4\"\r\n\r\n";
        let body = [head.as_bytes(), bytes, b"\r\n--edge--\r\n"].concat();
        self.call("POST", "/v1/files", "multipart/form-data; boundary=edge", &body, None)
    }

    fn model(&self) -> String {
        checkpoint_dir("d32-gqa-tied").display().to_string()
    }

    fn question(&self, video: &str, more: Value) -> Value {
        let mut body = json!({
            "model": self.model(),
            "messages": [{ "role": "user", "content": [
                { "type": "video_url", "video_url": { "url": video } },
                { "type": "text", "text": "What happens?" },
            ] }],
        });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    }

    fn ask(&self, video: &str, more: Value) -> Reply {
        self.post("/v1/chat/completions", &self.question(video, more))
    }

    /// A request as raw bytes, and what comes back within some seconds.
    fn raw(&self, text: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(text).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // a reset after the answer is no matter
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Server {
    /// Kills the server as the system does, and starts one on the same files.
    fn killed_and_restarted(mut self, flags: &str) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        drop(self);
        Self::in_folder(folder, flags)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cli(flags: &str) -> Value {
    longsight("ask")
        .arg(clip())
        .arg("What happens?")
        .arg("--model")
        .arg(checkpoint_dir("d32-gqa-tied"))
        .args("--dtype f32 --quiet --max-new-tokens 6 --frames 4")
        .args(flags)
        .json()
}

/// Chunks of a stream, which ends with [DONE].
fn chunks(reply: &Reply) -> Vec<Value> {
    let text = String::from_utf8_lossy(&reply.body);
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data.last(), Some(&"[DONE]"), "{text}");
    data[..data.len() - 1].iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}
