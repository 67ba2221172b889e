//! A small HTTP/1.1 server: one thread a connection, one request a connection, every request remembered.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `HEAD` ...
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    /// A header's value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What the server says; `cut_at` closes the connection after so many bytes of the body.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Beside the connection's own.
    pub headers: Vec<(String, String)>,
    /// Not sent for `HEAD`.
    pub body: Vec<u8>,
    /// Bytes of the body before the connection closes.
    pub cut_at: Option<usize>,
}

impl Reply {
    /// A whole reply.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cut_at: None }
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Broken off after so many bytes.
    pub fn cut_at(mut self, bytes: usize) -> Self {
        self.cut_at = Some(bytes);
        self
    }

    /// Content with `Range: bytes=N-` honoured.
    pub fn ranged(request: &Request, content: &[u8]) -> Self {
        let from =
            request.header("range").map(|r| r["bytes=".len()..].trim_end_matches('-').parse().unwrap());
        let total = content.len();
        match from {
            None => Self::new(200, content),
            Some(from) if from >= total => {
                Self::new(416, "").with("Content-Range", format!("bytes */{total}"))
            }
            Some(from) => Self::new(206, &content[from..])
                .with("Content-Range", format!("bytes {from}-{}/{total}", total - 1)),
        }
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// Listens on the loopback until the process ends.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers every request by `handler`.
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (handler, log): (Arc<Handler>, _) = (Arc::new(handler), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, log) = (handler.clone(), log.clone());
                thread::spawn(move || serve(stream, &*handler, &log));
            }
        });
        Self { address, seen }
    }

    /// Requests so far of one method whose path holds `part`.
    pub fn seen(&self, method: &str, part: &str) -> Vec<Request> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|r| r.method == method && r.path.contains(part)).cloned().collect()
    }

    /// How many of them.
    pub fn count(&self, method: &str, part: &str) -> usize {
        self.seen(method, part).len()
    }
}

fn serve(stream: TcpStream, handler: &Handler, log: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let request = Request { method, path, headers };
    log.lock().unwrap().push(request.clone());
    let reply = handler(&request);
    write_reply(stream, &request, &reply).ok()
}

fn write_reply(mut stream: TcpStream, request: &Request, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Stub\r\nConnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| name == "Content-Length") {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method != "HEAD" {
        let end = reply.cut_at.unwrap_or(reply.body.len());
        stream.write_all(&reply.body[..end])?;
    }
    stream.flush()
}
