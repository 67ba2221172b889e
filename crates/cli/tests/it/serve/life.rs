//! The queue, clients that leave, beginning and end.

use super::*;

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

#[test]
fn settings_that_can_never_work_are_refused_at_the_start() {
    for (flags, part) in [
        ("--frames 0", "0 frames by default"),
        ("--max-frames 5000", "1 to 2048"),
        ("--host 0.0.0.0", "can be reached from other machines"),
        ("--allow-host http://example.org/", "is no host"),
        ("--subtitles /nowhere.srt", "/nowhere.srt"),
    ] {
        let message = longsight("serve").args("--port 0 --quiet").args(flags).failure();
        assert_names(&message, &[part]);
    }
    let message = longsight("serve").args("--host example.org").run().failed(2);
    assert_names(&message, &["--host", "write an IP address"]);
}

/// Killed at several moments of a question that fills the index: the index is whole each time, and the next server answers.
#[test]
fn a_server_killed_while_it_indexes_leaves_nothing_half_written() {
    let mut server = Server::start("");
    for moment in 0..8u8 {
        let id = server.upload(&[clip_bytes(), vec![moment]].concat());
        let body = server.question(&id, json!({})).to_string();
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(60) * u32::from(moment));
        server = server.killed_and_restarted("");
        let index = server.folder.path().join("index");
        longsight("index").args("verify --index-dir").arg(index).run().succeeded();
        let answer = server.ask(&id, json!({}));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
}
