//! What is refused, and harms nobody.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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
    refused(json!({ "max_tokens": 1, "max_completion_tokens": 2 }), 400, &["differ"]);
    refused(json!({ "stream_options": { "include_usage": true } }), 400, &["set `stream`"]);
    refused(json!({ "longsight": { "progress": true } }), 400, &["set `stream`"]);
    refused(json!({ "temperature": -1 }), 400, &["temperature"]);
    refused(json!({ "model": "gpt-4o" }), 404, &["gpt-4o"]);
    refused(json!({ "longsight": { "pool": "x" } }), 400, &["pool"]);
    let moments = json!({ "longsight": { "evidence": true, "moments": 0 } });
    refused(moments, 400, &["longsight.moments must be at least 1"]);
    refused(json!({ "messages": [] }), 400, &["begin and end with the user"]);
    let body = |text: &str| server.call("POST", chat, "application/json", text.as_bytes(), None);
    assert_names(&body("{").refused(400), &["the body"]);
    assert_names(&body("").refused(400), &["the body"]);
    assert_names(&body(&"[".repeat(100_000)).refused(400), &["the body"]);
    assert_names(&body(&format!("\"{}\"", "x".repeat(2 << 20))).refused(413), &["1048576"]);
    server.call("POST", chat, "text/plain", b"{}", None).refused(415);
    // Refused before its end, a body is still taken: a client that writes first and reads then is told why.
    let long = vec![b' '; 40 << 20];
    assert_names(&server.call("POST", chat, "application/json", &long, None).refused(413), &["1048576"]);
    server.call("POST", chat, "text/plain", &long, None).refused(415);
    server.call("POST", "/nothing", "text/plain", &long, None).refused(404);
    server.get("/nothing").refused(404);
    server.get(chat).refused(405);
    for path in [
        "/v1/files/..%2f..%2fetc%2fpasswd",
        "/v1/files/file-../content",
        "/v1/files/%2e%2e/content",
        "/v1/files/file-000000000000000000000000/content",
        "/v1/uploads/upload-..%2f..%2fx",
        "/v1/files/file-%00",
        "/v1/files/%ff",
        "/v1/files/file-%ff%fe/content",
        "/v1/uploads/%c3",
        "/v1/models/%ff",
    ] {
        server.get(path).refused(404);
    }
    // What a message repeats of a request is short, and steers no terminal.
    for request in [
        json!({ "model": "x".repeat(100_000) }),
        json!({ "y".repeat(100_000): 1 }),
        json!({ "longsight": { "z".repeat(100_000): 1 } }),
        json!({ "longsight": { "pool": "p".repeat(100_000) } }),
        json!({ "messages": [{ "role": "r".repeat(100_000), "content": "x" }] }),
    ] {
        let reply = server.ask(&id, request);
        assert!(reply.status == 400 || reply.status == 404);
        let message = reply.refused(reply.status);
        assert!(message.chars().count() < 320, "{message}");
    }
    let message = server.ask(&id, json!({ "model": "a\u{1b}[2J\n\u{202e}b" })).refused(404);
    assert_names(&message, &["a\\u{1b}[2J\\n\\u{202e}b"]);
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
    assert_names(&images("data:image/png;base64,AAAA").refused(400), &["not a picture"]);
    let bomb = format!("data:image/png;base64,{}", STANDARD.encode(png_of(32_767, 32_767)));
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
    let lower =
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: bearer secret\r\nConnection: close\r\n\r\n";
    assert!(server.raw(lower.as_bytes()).starts_with("HTTP/1.1 200"));
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
fn videos_that_lie_about_themselves() {
    let server = Server::start("--max-duration 4");
    // Ten hours, says the header of 3 s.
    let mut long = clip_bytes();
    let mvhd = long.windows(4).position(|window| window == b"mvhd").unwrap();
    long[mvhd + 20..mvhd + 24].copy_from_slice(&36_000_000u32.to_be_bytes());
    let answer = server.ask(&server.upload(&long), json!({}));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.json()["longsight"]["receipt"]["video"]["duration_secs"], 3.0);
    // A gigapixel, with next to no data.
    let huge = [&b"YUV4MPEG2 W32767 H32767 F1:1 Ip A1:1 C420\nFRAME\n"[..], &[0; 1000]].concat();
    let id = server.upload(&huge);
    let message = server.ask(&id, json!({})).refused(400);
    assert!(message.contains(&id) && !message.contains("uploads"), "{message}");
    assert_eq!(server.get("/healthz").status, 200);
}
