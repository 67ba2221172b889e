//! What a question would take, before it is asked.

use crate::blocking::{Left, blocking};
use crate::body::read_body;
use crate::error::ApiResult;
use crate::input::Input;
use crate::state::App;
use crate::wire::{PlanRequest, check_text_bytes, json};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use longsight_engine::{Frames, Request, RunPlan, TimeEstimate};
use serde_json::Value;
use std::sync::Arc;

pub(crate) async fn plan(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Json<Value>> {
    let body = read_body(&app, &headers, body, app.settings.limits.body_bytes).await?;
    let pass = app.planning.enter().await?;
    let planned = blocking(move |left| {
        let _pass = pass;
        let (body, _share) = body.parse(&app)?;
        planned(&app, &json::read(body)?, left)
    });
    planned.await.map(Json)
}

fn planned(app: &App, request: &PlanRequest, left: &Left) -> ApiResult<Value> {
    check_text_bytes(request.question.len(), app.settings.limits.text_bytes, "question")?;
    let run = request.longsight.resolve(app)?;
    let input = Input::upload(app, &request.video.file_id)?;
    let planned = || -> ApiResult<(RunPlan, TimeEstimate)> {
        let request = Request {
            video: app.probe(&input, &run)?,
            settings: run,
            frames: Frames::Chosen, // an upload is no folder of images
            earlier: &[],
            questions: &[&request.question],
        };
        let planned = request.plan_unless(app.model.info(), &|| left.has_left())?;
        app.check_plan(&planned)?;
        let plan = planned.plan;
        let time = TimeEstimate::new(app.model.info(), &plan);
        Ok((plan, time))
    };
    let (plan, time) = planned().map_err(|error| input.hide(error))?;
    let frames = plan.sample.frames.iter().zip(&plan.pool.units).map(|(frame, pooled)| {
        serde_json::json!({
            "time_secs": frame.time,
            "role": pooled.role,
            "stride": pooled.stride,
            "visual_tokens": pooled.visual_tokens,
        })
    });
    let memory = &plan.memory;
    Ok(serde_json::json!({
        "video": {
            "duration_secs": plan.video.duration_secs,
            "width": plan.video.width,
            "height": plan.video.height,
            "codec": plan.video.codec,
        },
        "frames": frames.collect::<Vec<_>>(),
        "tokens": {
            "visual": plan.pool.visual_tokens(),
            "newline": plan.pool.newline_tokens(),
            "text": plan.text_tokens(),
            "prompt": plan.layout.total_tokens(),
        },
        "context": {
            "method": plan.rope.method,
            "scale": plan.rope.scale,
            "window_tokens": plan.rope.window_tokens,
            "language_window_tokens": app.model.config().decoder.max_positions,
        },
        "memory": {
            "total_bytes": memory.total_bytes(),
            "weights_bytes": memory.weights_bytes,
            "kv_cache_bytes": memory.kv_cache_bytes,
            "work_bytes": memory.work_bytes,
            "video_decoder_bytes": memory.video_decoder_bytes,
            "program_bytes": memory.program_bytes,
        },
        "time": time,
        "warnings": plan.warnings,
    }))
}
