//! Uploads: whole in one form, or in pieces that can be gone on with.

use super::Id;
use crate::body::{Pace, read_json};
use crate::echo::echo;
use crate::error::{ApiError, ApiResult};
use crate::state::App;
use crate::uploads::FileInfo;
use crate::wire::UploadRequest;
use axum::Json;
use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Query, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;
use tower_http::services::ServeFile;

fn file_json(info: &FileInfo) -> Value {
    json!({
        "id": info.id, "object": "file", "bytes": info.bytes, "created_at": info.created_at,
        "filename": info.filename, "purpose": info.purpose, "status": "processed",
    })
}

fn upload_json(info: &FileInfo, received: u64) -> Value {
    json!({
        "id": info.id, "object": "upload", "bytes": info.bytes, "received": received, "created_at": info.created_at,
        "filename": info.filename, "purpose": info.purpose, "status": "pending",
    })
}

pub(crate) async fn list(State(app): State<Arc<App>>) -> ApiResult<Json<Value>> {
    let files = app.uploads.list()?;
    let data: Vec<Value> = files.iter().map(file_json).collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": false })))
}

pub(crate) async fn show(State(app): State<Arc<App>>, Id(id): Id) -> ApiResult<Json<Value>> {
    Ok(Json(file_json(&app.uploads.info(&id)?)))
}

pub(crate) async fn delete(State(app): State<Arc<App>>, Id(id): Id) -> ApiResult<Json<Value>> {
    app.uploads.remove(&id)?;
    Ok(Json(json!({ "id": id, "object": "file", "deleted": true })))
}

/// The file itself; ranges too, for players that seek.
pub(crate) async fn content(
    State(app): State<Arc<App>>,
    Id(id): Id,
    request: Request,
) -> ApiResult<Response> {
    let path = app.uploads.path(&id)?;
    let kind = media_type(&app.uploads.info(&id)?.filename).parse().map_err(ApiError::internal)?;
    match ServeFile::new_with_mime(path, &kind).try_call(request).await {
        Ok(response) => Ok(response.map(Body::new).into_response()),
        Err(error) => Err(ApiError::internal(error)),
    }
}

/// By the name that the client gave: only kinds that a player takes, so that nothing is run as a page.
fn media_type(filename: &str) -> &'static str {
    let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("mp4" | "m4v") => "video/mp4",
        Some("webm") => "video/webm",
        Some("mkv") => "video/x-matroska",
        Some("mov") => "video/quicktime",
        Some("ogv") => "video/ogg",
        _ => "application/octet-stream",
    }
}

/// OpenAI's form: `purpose` and `file`.
pub(crate) async fn create(State(app): State<Arc<App>>, request: Request) -> ApiResult<Json<Value>> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|e| {
        ApiError::bad(format!("send a form with `purpose` and `file` ({})", echo(&e.body_text())))
    })?;
    let limits = &app.settings.limits;
    let (mut pace, mut purpose, mut saved) = (Pace::new(limits), Vec::from("user_data"), None);
    while let Some(mut field) = pace.wait(form.next_field()).await?.map_err(broken)? {
        match field.name() {
            Some("purpose") => {
                purpose.clear();
                copy(&mut field, &mut purpose, MAX_PURPOSE_BYTES, &mut pace).await?;
            }
            Some("file") if saved.is_none() => {
                let name = field.file_name().unwrap_or("video").to_owned();
                // Its length is not known before its end, so it is a file of the request first.
                let mut file = app.uploads.scratch_file()?;
                copy(&mut field, &mut file, limits.upload_bytes, &mut pace).await?;
                saved = Some((name, file));
            }
            other => {
                let name = echo(other.unwrap_or_default());
                return Err(ApiError::bad(format!("the form has a field `{name}` too many")));
            }
        }
    }
    let Some((name, file)) = saved else {
        return Err(ApiError::bad("the form has no `file`").param("file"));
    };
    Ok(Json(file_json(&app.uploads.keep(&name, file, &String::from_utf8_lossy(&purpose))?)))
}

const MAX_PURPOSE_BYTES: u64 = 255;

fn broken(error: MultipartError) -> ApiError {
    ApiError::bad(format!("the form: {}", echo(&error.body_text())))
}

/// Writes a field of a form to `out`: at most `limit_bytes`.
async fn copy(
    field: &mut Field<'_>,
    out: &mut impl Write,
    limit_bytes: u64,
    pace: &mut Pace,
) -> ApiResult<()> {
    let mut bytes = 0u64;
    while let Some(piece) = pace.wait(field.chunk()).await?.map_err(broken)? {
        pace.received(piece.len());
        bytes += piece.len() as u64;
        if bytes > limit_bytes {
            let name = echo(field.name().unwrap_or_default());
            let message = format!("`{name}` is longer than the {limit_bytes} bytes that it may be");
            return Err(ApiError::too_large(message).param(name));
        }
        out.write_all(&piece).map_err(ApiError::io)?;
    }
    Ok(())
}

pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Json<Value>> {
    let request: UploadRequest = read_json(&app, &headers, body).await?;
    let purpose = request.purpose.as_deref().unwrap_or("user_data");
    let info = app.uploads.begin(&request.filename, request.bytes, purpose)?;
    Ok(Json(upload_json(&info, 0)))
}

pub(crate) async fn progress(State(app): State<Arc<App>>, Id(id): Id) -> ApiResult<Json<Value>> {
    let (info, received) = app.uploads.progress(&id)?;
    Ok(Json(upload_json(&info, received)))
}

pub(crate) async fn cancel(State(app): State<Arc<App>>, Id(id): Id) -> ApiResult<Json<Value>> {
    app.uploads.cancel(&id)?;
    Ok(Json(json!({ "id": id, "object": "upload", "status": "cancelled" })))
}

/// Where a piece begins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offset {
    offset: u64,
}

/// A piece of an upload, as the raw body. What came of it before it broke off is kept.
pub(crate) async fn append(
    State(app): State<Arc<App>>,
    Id(id): Id,
    offset: Result<Query<Offset>, axum::extract::rejection::QueryRejection>,
    body: Body,
) -> ApiResult<Json<Value>> {
    let Ok(Query(Offset { offset })) = offset else {
        return Err(ApiError::bad("say where the piece begins: ?offset=N").param("offset"));
    };
    let (mut file, info) = app.uploads.appender(&id, offset)?;
    let (mut at, mut stream) = (offset, body.into_data_stream());
    let mut pace = Pace::new(&app.settings.limits);
    while let Some(piece) = pace.next(&mut stream).await? {
        at += piece.len() as u64;
        if at > info.bytes {
            let message = format!("more than the {} bytes that were announced", info.bytes);
            return Err(ApiError::too_large(message).param("offset"));
        }
        app.uploads.append(&mut file, &piece)?;
    }
    Ok(Json(upload_json(&info, at)))
}

pub(crate) async fn complete(State(app): State<Arc<App>>, Id(id): Id) -> ApiResult<Json<Value>> {
    Ok(Json(file_json(&app.uploads.complete(&id)?)))
}
