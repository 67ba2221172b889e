//! Load, slowness and size: what is bounded, and that one client's requests stop nobody else's.

use super::*;
use std::net::TcpListener;
use std::sync::mpsc::channel;

/// What a connection still brings: until it is closed, for half a minute at most.
fn rest(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer); // a reset is an end too
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(path: &str, bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n"
    )
}

#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let server = Server::start("--max-connections 16");
    let silent: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    for _ in 0..20 {
        assert_eq!(server.get("/healthz").status, 200);
    }
    let mut silent = silent.into_iter();
    assert_eq!(rest(silent.next().unwrap()), "", "the oldest was closed");
    // One with a request at work keeps its place.
    let id = server.upload(&clip_bytes());
    let body = server.question(&id, json!({})).to_string();
    let mut asking = TcpStream::connect(&server.address).unwrap();
    let head = head("/v1/chat/completions", body.len()).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    asking.write_all(head.as_bytes()).unwrap();
    asking.write_all(&body.as_bytes()[..10]).unwrap();
    assert_eq!(server.get("/healthz").status, 200); // by now the head above was read or will be
    asking.write_all(&body.as_bytes()[10..]).unwrap();
    let answer = rest(asking);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn heads_and_bodies_have_a_time() {
    let server = Server::start("--idle-secs 1");
    let mut slow = TcpStream::connect(&server.address).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: local").unwrap();
    assert!(!rest(slow).contains("200 OK"), "a head that does not end");
    assert_eq!(rest(TcpStream::connect(&server.address).unwrap()), "", "a head that does not begin");
    drop(server);
    // However its pieces come: here the next one could come within half a minute.
    let server = Server::start("--idle-secs 30 --body-secs 1");
    let answer = server.raw(format!("{}{{\"vid", head("/v1/plan", 50)).as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("within 1 s"), "{answer}");
    let form = "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=e\r\n\
                Content-Length: 500\r\n\r\n--e\r\n";
    let answer = server.raw(form.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn text_is_refused_before_it_is_tokenised() {
    let server = Server::start("--max-text 2KiB --max-text-tokens 300");
    let id = server.upload(&clip_bytes());
    let ask = |text: String| {
        let mut body = server.question(&id, json!({}));
        body["messages"][0]["content"][1]["text"] = json!(text);
        server.post("/v1/chat/completions", &body)
    };
    assert_eq!(ask("word ".repeat(20)).status, 200);
    let reply = ask("word ".repeat(100_000));
    assert_names(&reply.refused(413), &["500000 bytes of text", "2048"]);
    assert_eq!(reply.json()["error"]["code"], "text_limit");
    assert_names(&ask("a b c d e f ".repeat(160)).refused(413), &["tokens of text", "300"]);
    let plan =
        |text: String| server.post("/v1/plan", &json!({ "video": { "file_id": id }, "question": text }));
    assert_eq!(plan("word ".repeat(20)).status, 200);
    assert_names(&plan("word ".repeat(1000)).refused(413), &["5000 bytes of text"]);
    // What is told in earlier turns counts.
    let mut body = server.question(&id, json!({}));
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({ "role": "assistant", "content": "x ".repeat(1500) }));
    messages.push(json!({ "role": "user", "content": "And?" }));
    assert_names(&server.post("/v1/chat/completions", &body).refused(413), &["bytes of text"]);
}

#[test]
fn bodies_are_bounded_together() {
    let server = Server::start("--max-body 1MiB");
    let (told, hears) = channel();
    let bodies: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            // Who asks first is answered at once, without waiting for the rest of a refused body.
            let head =
                head("/v1/chat/completions", 1 << 20).replace("Host:", "Expect: 100-continue\r\nHost:");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![b' '; (1 << 20) - 1]).unwrap();
            let (told, listening) = (told.clone(), stream.try_clone().unwrap());
            std::thread::spawn(move || {
                let lines = BufReader::new(listening).lines().map_while(Result::ok); // they end with the test
                let answer =
                    lines.filter(|line| line.starts_with("HTTP/1.1")).find(|line| !line.contains("100"));
                let _ = told.send(answer.unwrap_or_default());
            });
            stream
        })
        .collect();
    // Two fit; whichever came last is refused, and the others are still waited for.
    let refused = hears.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert_eq!(server.get("/healthz").status, 200);
    drop(bodies);
}

#[test]
fn a_body_of_very_many_values_is_refused_before_it_takes_memory() {
    let server = Server::start("");
    let many = format!("{{\"model\":[{}0]}}", "0,".repeat(20 << 20));
    let reply = server.call("POST", "/v1/chat/completions", "application/json", many.as_bytes(), None);
    assert_names(&reply.refused(413), &["values"]);
}

/// The system gives no more than so much address space, as containers do with memory.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_refused_before_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -v 6000000 && exec \"$@\"", "sh"]);
    let flags = "--max-answer-tokens 100000000 --threads 2";
    let program = Server::program(folder.path(), flags).inside(limited);
    let server = Server::run(folder, program);
    let id = server.upload(&clip_bytes());
    let reply = server.ask(&id, json!({ "max_tokens": 16_000_000 }));
    assert_names(&reply.refused(503), &["of memory", "left"]);
    assert_eq!(reply.json()["error"]["code"], "no_memory");
    let mut body = server.question(&id, json!({}));
    body["messages"][0]["content"][1]["text"] = json!("word ".repeat(8 << 20));
    server.post("/v1/chat/completions", &body).refused(413);
    assert_eq!(server.ask(&id, json!({})).status, 200, "the next question is answered");
}

#[test]
fn one_server_has_a_folder() {
    let server = Server::start("");
    let second = Server::program(server.folder.path(), "").failure();
    assert_names(&second, &["another server", "uploads"]);
    let server = server.killed_and_restarted(""); // a lock ends with its server, however that ends
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_fetch_ends_when_its_client_leaves() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = host.local_addr().unwrap();
    let server = Server::start(&format!("--allow-host {address}"));
    let body = server.question(&format!("http://{address}/v.mp4"), json!({})).to_string();
    let mut client = TcpStream::connect(&server.address).unwrap();
    client.write_all(head("/v1/chat/completions", body.len()).as_bytes()).unwrap();
    client.write_all(body.as_bytes()).unwrap();
    // A host that begins to answer, and never goes on.
    let (mut fetching, _) = host.accept().unwrap();
    let mut request = BufReader::new(fetching.try_clone().unwrap());
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(request.read_line(&mut line).unwrap() > 0);
    }
    fetching.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc").unwrap();
    drop(client);
    fetching.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let ended = fetching.read(&mut [0; 1]);
    let waits = |e: &std::io::Error| {
        matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
    };
    assert!(!ended.as_ref().is_err_and(waits), "the server would have waited for half a minute");
}

#[test]
fn an_answer_that_nobody_takes_frees_its_connection() {
    let server = Server::start("--max-connections 1 --idle-secs 1");
    let id = server.upload(&vec![7; 32 << 20]); // more than the system keeps for a client
    let mut asking = TcpStream::connect(&server.address).unwrap();
    asking
        .write_all(format!("GET /v1/files/{id}/content HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
        .unwrap();
    let mut first = [0; 12];
    asking.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let healthy = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answers = (0..600).map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        server.raw(healthy.as_bytes())
    });
    assert!(answers.any(|answer| answer.starts_with("HTTP/1.1 200")), "it has the only place for ever");
}

/// Each thread wants more than the system has left, as where containers are short of memory.
#[cfg(target_os = "linux")]
#[test]
fn threads_that_cannot_be_started_are_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let limited = |program: Program, stack_bytes: u64| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 4000000 && exec \"$@\"", "sh"]);
        let message = program.inside(shell).env("RUST_MIN_STACK", stack_bytes.to_string()).failure();
        assert_names(&message, &["thread", "allow this program more memory"]);
        assert_eq!(message.trim().lines().count(), 1, "{message}");
    };
    let ask = || {
        longsight("ask")
            .arg(clip())
            .arg("What?")
            .arg("--model")
            .arg(checkpoint_dir("d32-gqa-tied"))
            .args("--dtype f32 --no-index --quiet --threads 1 --frames 2")
    };
    let serve = || Server::program(folder.path(), "--threads 1 --quiet");
    for stack_bytes in [8_000_000_000, 1_200_000_000] {
        limited(ask(), stack_bytes);
        limited(serve(), stack_bytes);
    }
}
