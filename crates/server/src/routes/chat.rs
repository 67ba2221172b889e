//! `POST /v1/chat/completions`.

use crate::blocking::{Left, blocking};
use crate::body::{JsonBody, read_body};
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::queue::Refused;
use crate::state::{App, unix_secs};
use crate::wire::{ChatRequest, Conversation};
use crate::worker::{Ask, Event, Job};
use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use longsight_engine::evidence::IllustratedEvidence;
use longsight_engine::{Answer, StopReason};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) async fn complete(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    let body = read_body(&app, &headers, body, app.settings.limits.body_bytes).await?;
    let pass = app.preparing.enter().await.inspect_err(|_| app.metrics.refused())?;
    let preparing = Arc::clone(&app);
    let prepared = blocking(move |left| {
        let _pass = pass;
        prepare(&preparing, body, left)
    });
    let (ask, style) = prepared.await?;
    let place = submit(&app, peer.ip().to_string(), ask)?;
    let reply = Reply::new(&app);
    if style.stream {
        return streamed(reply, place, style).await;
    }
    whole(&reply, place).await
}

/// How an answer is sent.
#[derive(Debug, Clone, Copy)]
struct Style {
    stream: bool,
    progress: bool,
    include_usage: bool,
}

/// Reads a request, and brings what it shows to the disk.
fn prepare(app: &App, body: JsonBody, left: &Left) -> ApiResult<(Ask, Style)> {
    let (body, _share) = body.parse(app)?;
    let request = ChatRequest::read(body)?;
    let (stream, progress) = (request.stream, request.longsight.progress);
    let conversation = request.resolve(app)?;
    let style = Style { stream, progress, include_usage: conversation.include_usage };
    let input = Input::new(app, &conversation.visual, left)?;
    let Conversation { turns, run, frames_chosen, warnings, .. } = conversation;
    Ok((Ask { input, turns, run, frames_chosen, warnings }, style))
}

/// Puts a question into the queue; `client`, an address, is whose turn it takes.
fn submit(app: &Arc<App>, client: String, ask: Ask) -> ApiResult<Place> {
    let (events, received) = unbounded_channel();
    let id = app.next_job();
    let job = Job { id, client, ask: Some(ask), events, cancelled: Arc::default() };
    let place = Place { app: Arc::clone(app), id, events: received };
    match app.queue.push(job) {
        Ok(()) => Ok(place),
        Err(Refused::Full) => {
            app.metrics.refused();
            Err(ApiError::queue_full("too many questions are waiting; try again later"))
        }
        Err(Refused::Closed) => Err(ApiError::closing()),
    }
}

/// A question in the queue or at work. Dropped when its client leaves, which stops it.
struct Place {
    app: Arc<App>,
    id: u64,
    events: UnboundedReceiver<Event>,
}

impl Place {
    /// The next event; an error where the server closes first.
    async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or_else(|| Event::Failed(ApiError::closing()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.app.queue.cancel(self.id);
    }
}

/// What all parts of a reply begin with.
struct Reply {
    id: String,
    created: u64,
    model: String,
}

impl Reply {
    fn new(app: &App) -> Self {
        let id = format!("chatcmpl-{:016x}", rand::random::<u64>());
        Self { id, created: unix_secs(), model: app.settings.model_name.clone() }
    }

    fn chunk(&self, choices: Value) -> Value {
        json!({ "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices })
    }

    fn delta(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        self.chunk(json!([{ "index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": null }]))
    }
}

async fn whole(reply: &Reply, mut place: Place) -> ApiResult<Response> {
    loop {
        match place.next().await {
            Event::Progress(..) | Event::Text(_) => (),
            Event::Failed(error) => return Err(error),
            Event::Done(answer, evidence) => {
                return Ok(Json(json!({
                    "id": reply.id, "object": "chat.completion", "created": reply.created, "model": reply.model,
                    "choices": [{
                        "index": 0,
                        "message": { "role": "assistant", "content": answer.text, "refusal": null },
                        "finish_reason": finish_reason(&answer),
                        "logprobs": null,
                    }],
                    "usage": usage(&answer),
                    "longsight": extras(&answer, evidence.as_ref()),
                }))
                .into_response());
            }
        }
    }
}

fn finish_reason(answer: &Answer) -> &'static str {
    match answer.generation.stop_reason {
        StopReason::EndToken => "stop",
        StopReason::MaxNewTokens => "length",
    }
}

fn usage(answer: &Answer) -> Value {
    let tokens = &answer.receipt.tokens;
    json!({
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.generated,
        "total_tokens": tokens.prompt + tokens.generated,
        "prompt_tokens_details": { "cached_tokens": tokens.reused },
    })
}

/// Receipt and evidence.
fn extras(answer: &Answer, evidence: Option<&IllustratedEvidence>) -> Value {
    let mut extras = json!({ "receipt": answer.receipt, "token_ids": answer.generation.token_ids });
    if let Some(evidence) = evidence {
        extras["evidence"] = json!(evidence);
    }
    extras
}

/// Answers as events. What fails before anything else happened has its own status.
async fn streamed(reply: Reply, mut place: Place, style: Style) -> ApiResult<Response> {
    let Style { progress, include_usage, .. } = style;
    let mut first = place.next().await;
    while !progress && matches!(first, Event::Progress(..)) {
        first = place.next().await;
    }
    if let Event::Failed(error) = first {
        return Err(error);
    }
    let mut chunks = Chunks { reply, progress, include_usage, begun: false, trimmed: String::new() };
    let waiting = chunks.of(first);
    Ok(Sse::new(events(chunks, place, waiting)).keep_alive(KeepAlive::default()).into_response())
}

fn events(
    chunks: Chunks,
    place: Place,
    waiting: VecDeque<String>,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let state = (chunks, place, waiting, false);
    stream::unfold(state, async |(mut chunks, mut place, mut waiting, mut ended)| {
        loop {
            if let Some(text) = waiting.pop_front() {
                ended = ended || text == DONE;
                return Some((Ok(sse::Event::default().data(text)), (chunks, place, waiting, ended)));
            }
            if ended {
                return None;
            }
            waiting = chunks.of(place.next().await);
        }
    })
}

const DONE: &str = "[DONE]";

/// Turns events into the texts of a stream.
struct Chunks {
    reply: Reply,
    progress: bool,
    include_usage: bool,
    begun: bool,
    /// White space that may be the answer's end: answers are trimmed, so it waits for what follows.
    trimmed: String,
}

impl Chunks {
    fn of(&mut self, event: Event) -> VecDeque<String> {
        let mut chunks = VecDeque::new();
        match event {
            Event::Progress(stage, done, total) => {
                if self.progress {
                    let mut chunk = self.reply.chunk(json!([]));
                    chunk["longsight"] =
                        json!({ "progress": { "stage": stage, "done": done, "total": total } });
                    chunks.push_back(chunk.to_string());
                }
            }
            Event::Text(piece) => {
                if let Some(text) = self.text(&piece) {
                    chunks.extend(self.begin());
                    chunks.push_back(self.reply.delta(json!({ "content": text }), None).to_string());
                }
            }
            Event::Done(answer, evidence) => {
                chunks.extend(self.begin());
                let mut last = self.reply.delta(json!({}), Some(finish_reason(&answer)));
                last["longsight"] = extras(&answer, evidence.as_ref());
                chunks.push_back(last.to_string());
                if self.include_usage {
                    let mut chunk = self.reply.chunk(json!([]));
                    chunk["usage"] = usage(&answer);
                    chunks.push_back(chunk.to_string());
                }
                chunks.push_back(DONE.into());
            }
            Event::Failed(error) => {
                tracing::warn!(status = error.status().as_u16(), "a stream failed");
                chunks.push_back(error.to_json().to_string());
                chunks.push_back(DONE.into());
            }
        }
        chunks
    }

    /// The chunk with the role, once.
    fn begin(&mut self) -> Option<String> {
        let first = !std::mem::replace(&mut self.begun, true);
        first.then(|| self.reply.delta(json!({ "role": "assistant", "content": "" }), None).to_string())
    }

    /// What of a piece can be told already.
    fn text(&mut self, piece: &str) -> Option<String> {
        let held = std::mem::take(&mut self.trimmed);
        let all = if self.begun { held + piece } else { piece.trim_start().to_owned() };
        let told = all.trim_end().len();
        self.trimmed = all[told..].to_owned();
        (told > 0).then(|| all[..told].to_owned())
    }
}
