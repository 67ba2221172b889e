//! `longsight serve` over real HTTP: answers, files, refusals, the queue, an end in order.

use crate::program::{assert_names, ids, longsight};
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
        let mut command = longsight("serve")
            .arg("--model")
            .arg(checkpoint_dir("d32-gqa-tied"))
            .args("--dtype f32 --port 0 --max-new-tokens 6 --frames 4 --uploads")
            .arg(folder.path().join("uploads"))
            .arg("--index-dir")
            .arg(folder.path().join("index"))
            .args(flags)
            .env("LONGSIGHT_INDEX", "embeddings")
            .command();
        command.env_remove("LONGSIGHT_API_KEY").stdout(Stdio::null()).stderr(Stdio::piped());
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

#[test]
fn answers_are_the_command_lines_token_for_token() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    for (options, flags) in [
        (json!({}), ""),
        (
            json!({ "longsight": { "frames": 3, "context": "none", "pool": "uniform,2" } }),
            "--frames 3 --context none --pool uniform,2",
        ),
        (json!({ "longsight": { "from": 1, "to": "0:02.5", "scale": 3 } }), "--from 1 --to 0:02.5 --scale 3"),
        (
            json!({ "temperature": 0.9, "seed": 7, "max_tokens": 4 }),
            "--temperature 0.9 --seed 7 --max-new-tokens 4",
        ),
    ] {
        let expected = cli(flags);
        let whole = server.ask(&id, options.clone());
        assert_eq!(whole.status, 200, "{}", String::from_utf8_lossy(&whole.body));
        let whole = whole.json();
        assert_eq!(ids(&whole["longsight"]), ids(&expected), "{flags}");
        assert_eq!(whole["choices"][0]["message"]["content"], expected["answer"]);
        assert_eq!(whole["longsight"]["receipt"]["frames"], expected["receipt"]["frames"]);
        assert_eq!(whole["usage"]["prompt_tokens"], expected["receipt"]["tokens"]["prompt"]);
        let mut streamed = options.clone();
        streamed["stream"] = json!(true);
        streamed["stream_options"] = json!({ "include_usage": true });
        let chunks = chunks(&server.ask(&id, streamed));
        let text: String =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, expected["answer"].as_str().unwrap());
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        let usage = &chunks.last().unwrap()["usage"];
        assert_eq!(usage["total_tokens"], whole["usage"]["total_tokens"]);
        let finished = &chunks[chunks.len() - 2];
        assert_eq!(finished["choices"][0]["finish_reason"], whole["choices"][0]["finish_reason"]);
        assert_eq!(ids(&finished["longsight"]), ids(&expected));
    }
    // The same bytes in the request itself, and a second question of the same video: from the index.
    let data = format!("data:video/mp4;base64,{}", base64(&clip_bytes()));
    let inline = server.ask(&data, json!({})).json();
    assert_eq!(ids(&inline["longsight"]), ids(&cli("")));
    assert_eq!(inline["longsight"]["receipt"]["index"]["kv_prefix"], "read");
    assert!(inline["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64() > Some(0));
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize] as char;
            text.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

#[test]
fn progress_evidence_and_a_conversation() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    let options = json!({ "stream": true, "longsight": { "evidence": true, "progress": true, "frames": 6 } });
    let chunks = chunks(&server.ask(&id, options));
    let stages: Vec<&str> =
        chunks.iter().filter_map(|chunk| chunk["longsight"]["progress"]["stage"].as_str()).collect();
    assert!(
        stages.contains(&"queue") && stages.contains(&"frames") && stages.contains(&"prompt"),
        "{stages:?}"
    );
    let last = &chunks.last().unwrap()["longsight"];
    assert_eq!(last["evidence"]["frame_scores"].as_array().unwrap().len(), 6);
    let moments = last["evidence"]["moments"].as_array().unwrap().len();
    assert_eq!(last["evidence"]["thumbnails"].as_array().unwrap().len(), moments);
    let said = "An answer.";
    let mut body = server.question(&id, json!({}));
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({ "role": "assistant", "content": said }));
    messages.push(json!({ "role": "user", "content": "And then?" }));
    let follow = server.post("/v1/chat/completions", &body).json();
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history.json");
    let turns =
        json!([{ "role": "user", "content": "What happens?" }, { "role": "assistant", "content": said }]);
    std::fs::write(&history, turns.to_string()).unwrap();
    let expected = longsight("ask")
        .arg(clip())
        .arg("And then?")
        .arg("--model")
        .arg(checkpoint_dir("d32-gqa-tied"))
        .args("--dtype f32 --quiet --max-new-tokens 6 --frames 4 --history")
        .arg(&history)
        .json();
    assert_eq!(ids(&follow["longsight"]), ids(&expected));
}

#[test]
fn files_come_whole_or_in_pieces_and_are_sent_in_ranges() {
    let server = Server::start("--max-upload 2MiB --max-storage 3MiB");
    let bytes = clip_bytes();
    let id = server.upload(&bytes);
    let begun = server.post("/v1/uploads", &json!({ "filename": "talk.mp4", "bytes": bytes.len() })).json();
    let upload = format!("/v1/uploads/{}", begun["id"].as_str().unwrap());
    let put = |offset: usize, part: &[u8]| {
        server.call("PUT", &format!("{upload}?offset={offset}"), "application/octet-stream", part, None)
    };
    let half = bytes.len() / 2;
    assert_eq!(put(0, &bytes[..half]).json()["received"], half);
    assert_names(&put(0, &bytes[..half]).refused(409), &["go on from there"]);
    assert_names(&server.post(&format!("{upload}/complete"), &json!({})).refused(409), &["send the others"]);
    assert_eq!(server.get(&upload).json()["received"], half);
    let too_many = [&bytes[half..], b"more"].concat();
    put(half, &too_many).refused(413);
    let received = server.get(&upload).json()["received"].as_u64().unwrap() as usize;
    assert_eq!(put(received, &bytes[received..]).status, 200);
    let second = server.post(&format!("{upload}/complete"), &json!({})).json();
    assert_eq!((&second["filename"], &second["bytes"]), (&json!("talk.mp4"), &json!(bytes.len())));
    let second = second["id"].as_str().unwrap().to_owned();
    let content = server.get(&format!("/v1/files/{second}/content"));
    assert!(content.body == bytes && content.headers["content-type"] == "video/mp4");
    let ranged = server.raw(
        format!(
            "GET /v1/files/{id}/content HTTP/1.1\r\nHost: localhost\r\nRange: bytes=4-7\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    );
    assert!(ranged.starts_with("HTTP/1.1 206") && ranged.ends_with("ftyp"), "{ranged}");
    let list = server.get("/v1/files").json();
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    assert_eq!(server.call("DELETE", &format!("/v1/files/{id}"), "", &[], None).json()["deleted"], true);
    server.get(&format!("/v1/files/{id}")).refused(404);
    server.ask(&id, json!({})).refused(404);
    let large = |bytes: usize| server.post("/v1/uploads", &json!({ "filename": "x", "bytes": bytes }));
    assert_names(&large((2 << 20) + 1).refused(413), &["2097152"]);
    assert_eq!(large(2 << 20).status, 200);
    assert_names(&large(2 << 20).refused(507), &["storage is full"]);
    assert_names(
        &server.post("/v1/uploads", &json!({ "filename": "x", "bytes": 0 })).refused(400),
        &["empty"],
    );
}

#[test]
fn hostile_requests_are_refused_and_harm_nobody() {
    let server = Server::start(
        "--max-body 1MiB --idle-secs 1 --max-question-frames 100 --max-duration 2.5 --max-pixels 100000",
    );
    let id = server.upload(&clip_bytes());
    let chat = "/v1/chat/completions";
    let refused = |more: Value, status: u16, parts: &[&str]| {
        assert_names(&server.ask(&id, more).refused(status), parts);
    };
    // The clip takes 3 s.
    refused(json!({}), 400, &["3 s", "2 s that this server allows"]);
    refused(json!({ "longsight": { "frames": 10_000 } }), 400, &["10000 frames", "100"]);
    refused(json!({ "longsight": { "fps": 1, "max_frames": 10_000 } }), 400, &["10000 frames"]);
    refused(json!({ "longsight": { "frames": 2, "fps": 2 } }), 400, &["not both"]);
    refused(json!({ "longsight": { "colour": "red" } }), 400, &["unknown field `colour`"]);
    refused(json!({ "colour": "red" }), 400, &["unknown field `colour`"]);
    refused(json!({ "n": 2 }), 400, &["`n` is not supported"]);
    refused(json!({ "max_tokens": 1_000_000 }), 400, &["4096"]);
    refused(json!({ "temperature": -1 }), 400, &["temperature"]);
    refused(json!({ "model": "gpt-4o" }), 404, &["gpt-4o"]);
    refused(json!({ "longsight": { "pool": "x" } }), 400, &["pool"]);
    refused(json!({ "messages": [] }), 400, &["begin and end with the user"]);
    let body = |text: &str| server.call("POST", chat, "application/json", text.as_bytes(), None);
    assert_names(&body("{").refused(400), &["the body"]);
    assert_names(&body("").refused(400), &["the body"]);
    assert_names(&body(&"[".repeat(100_000)).refused(400), &["the body"]);
    assert_names(&body(&format!("\"{}\"", "x".repeat(2 << 20))).refused(413), &["1048576"]);
    server.call("POST", chat, "text/plain", b"{}", None).refused(415);
    server.get("/nothing").refused(404);
    server.get(chat).refused(405);
    for path in [
        "/v1/files/..%2f..%2fetc%2fpasswd",
        "/v1/files/file-../content",
        "/v1/files/%2e%2e/content",
        "/v1/files/file-000000000000000000000000/content",
        "/v1/uploads/upload-..%2f..%2fx",
        "/v1/files/file-%00",
    ] {
        server.get(path).refused(404);
    }
    // A body that stops coming, and one that is announced and never sent.
    let slow = server.raw(b"POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"vid");
    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    // Addresses.
    for (url, part) in [
        ("http://127.0.0.1:1/x.mp4", "not a host that this server fetches from"),
        ("http://169.254.169.254/latest/meta-data", "not a host"),
        ("file:///etc/passwd", "give a file id"),
        ("/etc/passwd", "give a file id"),
        ("data:video/mp4,plain", "base64"),
        ("data:video/mp4;base64,@@@@", "base64"),
    ] {
        assert_names(&server.ask(url, json!({})).refused(400), &[part]);
    }
    // Not a video: the message has no place on the disk.
    let text = server.upload(b"this is no video at all");
    let message = server.ask(&text, json!({})).refused(400);
    assert!(message.contains(&text) && !message.contains("uploads"), "{message}");
    // Images: bombs and rubbish.
    let images = |url: &str| {
        let content = json!([{ "type": "image_url", "image_url": { "url": url } }, { "type": "text", "text": "What?" }]);
        server.post(
            chat,
            &json!({ "model": server.model(), "messages": [{ "role": "user", "content": content }] }),
        )
    };
    assert_names(&images("data:image/png;base64,AAAA").refused(400), &["no PNG"]);
    let bomb = format!("data:image/png;base64,{}", base64(&png_of(32_767, 32_767)));
    let message = images(&bomb).refused(400);
    assert!(message.contains("32767x32767") && !message.contains("scratch/"), "{message}");
    // After all this the server answers.
    let good = server.ask(&id, json!({ "longsight": { "to": 1 } }));
    assert_eq!(good.status, 400, "its length is what is limited, whatever part is asked about");
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/v1/models").json()["data"][0]["id"], server.model());
}

/// A PNG that says it is so large, with next to no data.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
            )
        })
    };
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [&header[..], b"IDATx\x9c\x03\0\0\0\0\x01", b"IEND"] {
        png.extend((chunk.len() as u32 - 4).to_be_bytes());
        png.extend(chunk);
        png.extend(crc(chunk).to_be_bytes());
    }
    png
}

#[test]
fn hosts_that_are_allowed_and_redirects() {
    // A host on the loopback: allowed by its address, refused by its name; its redirects are not followed.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let video = clip_bytes();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            while line.trim() != "" && !line.is_empty() {
                if line.starts_with("GET /away") {
                    let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                } else if line.starts_with("GET") {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        video.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&video));
                }
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
        }
    });
    let server = Server::start(&format!("--allow-host 127.0.0.1:{port} --allow-host localhost"));
    let good = server.ask(&format!("http://127.0.0.1:{port}/clip.mp4"), json!({}));
    assert_eq!(good.status, 200, "{}", String::from_utf8_lossy(&good.body));
    assert_eq!(ids(&good.json()["longsight"]), ids(&cli("")));
    let away = server.ask(&format!("http://127.0.0.1:{port}/away"), json!({})).refused(400);
    assert_names(&away, &["redirect", "302"]);
    let named = server.ask(&format!("http://localhost:{port}/clip.mp4"), json!({})).refused(400);
    assert_names(&named, &["not public"]);
}

#[test]
fn a_key_is_asked_for_and_a_page_from_elsewhere_is_kept_out() {
    let server = Server::start("--api-key secret");
    server.get("/v1/models").refused(401);
    server.call("GET", "/v1/models", "", &[], Some("secre")).refused(401);
    assert_eq!(server.call("GET", "/v1/models", "", &[], Some("secret")).status, 200);
    for open in ["/healthz", "/readyz", "/", "/base.js", "/app.js", "/style.css", "/openapi.json"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
    server.get("/metrics").refused(401);
    drop(server);
    let server = Server::start("");
    let request = |host: &str, more: &str| {
        server.raw(format!("POST /v1/plan HTTP/1.1\r\nHost: {host}\r\n{more}Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}").as_bytes())
    };
    assert!(request("evil.example", "").starts_with("HTTP/1.1 403"));
    assert!(request("localhost", "Origin: http://evil.example\r\n").starts_with("HTTP/1.1 403"));
    assert!(request("localhost", "Origin: http://localhost:1\r\n").starts_with("HTTP/1.1 400"));
    let open = longsight("serve").args("--host 0.0.0.0 --port 0 --quiet").failure();
    assert_names(&open, &["can be reached from other machines", "--open-without-key"]);
}

#[test]
fn a_full_queue_says_when_to_come_back_and_a_client_that_leaves_frees_its_place() {
    let server = Server::start(
        "--max-queue 1 --max-new-tokens 100000 --ignore-eos --max-answer-tokens 1000000 --frames 2",
    );
    let id = server.upload(&clip_bytes());
    let body = server.question(&id, json!({ "stream": true, "max_tokens": 100_000 })).to_string();
    let begin = || {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream
    };
    let metric = |name: &str| {
        let text = String::from_utf8(server.get("/metrics").body).unwrap();
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        for _ in 0..600 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{what}");
    };
    let first = begin();
    until("the first is at work", &|| metric("longsight_queue_working") == 1.0);
    let second = begin();
    until("the second waits", &|| metric("longsight_queue_waiting") == 1.0);
    let full = server.ask(&id, json!({}));
    assert_names(&full.refused(429), &["too many questions"]);
    assert!(full.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    drop(second);
    until("the second's place is free", &|| metric("longsight_queue_waiting") == 0.0);
    drop(first);
    until("the first is stopped", &|| metric("longsight_queue_working") == 0.0);
    assert_eq!(server.ask(&id, json!({ "max_tokens": 2 })).status, 200);
    assert_eq!(metric("longsight_questions_total{outcome=\"refused\"}"), 1.0);
    assert_eq!(metric("longsight_questions_total{outcome=\"answered\"}"), 1.0);
    assert_eq!(metric("longsight_questions_total{outcome=\"cancelled\"}"), 1.0);
}

#[test]
fn a_killed_server_finds_its_files_again_and_an_upload_goes_on() {
    let mut server = Server::start("");
    let bytes = clip_bytes();
    let id = server.upload(&bytes);
    let begun = server.post("/v1/uploads", &json!({ "filename": "b.mp4", "bytes": bytes.len() })).json();
    let upload = format!("/v1/uploads/{}", begun["id"].as_str().unwrap());
    server.call("PUT", &format!("{upload}?offset=0"), "application/octet-stream", &bytes[..1000], None);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    drop(server);
    let server = Server::in_folder(folder, "");
    assert_eq!(server.get(&upload).json()["received"], 1000);
    let rest = server.call(
        "PUT",
        &format!("{upload}?offset=1000"),
        "application/octet-stream",
        &bytes[1000..],
        None,
    );
    assert_eq!(rest.json()["received"], bytes.len());
    let second = server.post(&format!("{upload}/complete"), &json!({})).json();
    let ask = |id: &str| ids(&server.ask(id, json!({})).json()["longsight"]);
    assert_eq!(ask(&id), ask(second["id"].as_str().unwrap()));
}

#[test]
fn a_plan_tells_what_the_receipt_will() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    let plan =
        server.post("/v1/plan", &json!({ "video": { "file_id": id }, "question": "What happens?" })).json();
    let receipt = server.ask(&id, json!({})).json()["longsight"]["receipt"].clone();
    assert_eq!(plan["tokens"]["prompt"], receipt["tokens"]["prompt"]);
    assert_eq!(plan["context"]["scale"], receipt["context"]["scale"]);
    assert_eq!(plan["frames"].as_array().unwrap().len(), receipt["frames"].as_array().unwrap().len());
    assert_eq!(receipt["video"]["source"], id);
    server.post("/v1/plan", &json!({ "video": { "file_id": "file-1" } })).refused(404);
    let page = server.get("/");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert_names(policy, &["default-src 'self'"]);
    let described = server.get("/openapi.json").json();
    assert!(described["paths"]["/v1/chat/completions"]["post"].is_object());
}

#[cfg(unix)]
#[test]
fn a_server_that_is_asked_to_end_finishes_its_answer() {
    let mut server = Server::start("--max-new-tokens 400 --ignore-eos");
    let id = server.upload(&clip_bytes());
    let body = server.question(&id, json!({ "stream": true })).to_string();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains("\"role\":\"assistant\"") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0);
    }
    let killed = std::process::Command::new("kill").arg(server.child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"finish_reason\":\"length\"") && rest.contains("[DONE]"), "{rest}");
    assert!(server.child.wait().unwrap().success());
}
