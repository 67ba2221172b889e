//! What clients really send: OpenAI's, those that go through tables, and vLLM's.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A picture of one colour.
fn picture(format: &str, level: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_pixel(32, 24, image::Rgb([level, 40, 200 - level]));
    let kind = if format == "png" { image::ImageFormat::Png } else { image::ImageFormat::Jpeg };
    pixels.write_to(&mut bytes, kind).unwrap();
    bytes.into_inner()
}

fn post(server: &Server, content: Value, more: Value) -> Reply {
    let mut body = json!({ "model": server.model(), "messages": [{ "role": "user", "content": content }] });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    server.post("/v1/chat/completions", &body)
}

#[track_caller]
fn answered(reply: Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()
}

#[test]
fn whatever_the_server_sends_it_accepts_back_and_a_null_says_nothing() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    let message = answered(server.ask(&id, json!({})))["choices"][0]["message"].clone();
    // As the official client dumps a message, and as Ray Data sends parts: each with the fields of all others.
    let mut dumped = message.clone();
    for field in ["annotations", "audio", "function_call", "tool_calls", "name", "refusal"] {
        dumped[field] = Value::Null;
    }
    let parts = json!([
        { "type": "video_url", "video_url": { "url": id, "detail": null }, "text": null, "image_url": null },
        { "type": "text", "video_url": null, "text": "What happens?", "image_url": null },
    ]);
    let ask = |parts: &Value, answer: &Value| {
        let mut body = server.question(&id, json!({}));
        body["messages"] = json!([
            { "role": "user", "content": parts, "refusal": null },
            answer,
            { "role": "user", "content": "And then?", "name": null },
        ]);
        answered(server.post("/v1/chat/completions", &body))
    };
    let plain = server.question(&id, json!({}))["messages"][0]["content"].clone();
    let first = ask(&plain, &message);
    let second = ask(&parts, &dumped);
    assert_eq!(first["longsight"]["token_ids"], second["longsight"]["token_ids"]);
    assert_eq!(first["usage"]["prompt_tokens"], second["usage"]["prompt_tokens"]);
}

#[test]
fn neutral_fields_change_nothing_and_others_are_refused_by_name() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    let neutral = json!({
        "stop": [], "logit_bias": {}, "tool_choice": "none", "parallel_tool_calls": false, "modalities": ["text"],
        "service_tier": "auto", "reasoning_effort": null, "stream": null, "prediction": null, "n": 1,
        "logprobs": false, "top_logprobs": null, "store": false, "metadata": {}, "user": "u", "tools": [],
        "functions": [], "function_call": "none", "presence_penalty": 0, "frequency_penalty": 0.0,
        "response_format": { "type": "text" }, "safety_identifier": "s", "prompt_cache_key": "k",
        "verbosity": "medium", "audio": null, "web_search_options": null, "temperature": null, "seed": null,
        "longsight": null, "stream_options": null, "max_tokens": null,
    });
    let answer = answered(server.ask(&id, neutral));
    assert_eq!(ids(&answer["longsight"]), ids(&cli("")));
    for (field, value) in [
        ("stop", json!(["."])),
        ("n", json!(2)),
        ("tools", json!([{ "type": "function" }])),
        ("tool_choice", json!("required")),
        ("logit_bias", json!({ "1": 5 })),
        ("modalities", json!(["audio"])),
        ("service_tier", json!("priority")),
        ("response_format", json!({ "type": "json_object" })),
        ("store", json!(true)),
    ] {
        let reply = server.ask(&id, json!({ field: value }));
        assert_names(&reply.refused(400), &[&format!("`{field}` is not supported")]);
        assert_eq!(reply.json()["error"]["param"], field);
    }
}

#[test]
fn frames_that_were_sampled_already_are_a_video() {
    let server = Server::start("");
    let frames: Vec<String> = (0..5).map(|i| STANDARD.encode(picture("jpeg", i * 40))).collect();
    let url = |frames: &[String]| format!("data:video/jpeg;base64,{}", frames.join(","));
    let ask = |url: String, more: Value| {
        let content = json!([{ "type": "video_url", "video_url": { "url": url } }, { "type": "text", "text": "What?" }]);
        post(&server, content, more)
    };
    let receipt = |reply: Reply| answered(reply)["longsight"]["receipt"].clone();
    let times = |receipt: &Value| -> Vec<f64> {
        let frames = receipt["frames"].as_array().unwrap();
        frames.iter().map(|frame| frame["time_secs"].as_f64().unwrap()).collect()
    };
    let four = receipt(ask(url(&frames), json!({})));
    assert_eq!(times(&four), [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(four["video"]["source"], "the frames of the request");
    // The same pictures as images, and in vLLM's words with the times of their video.
    let images: Vec<Value> = frames
        .iter()
        .map(|frame| json!({ "type": "image_url", "image_url": { "url": format!("data:image/jpeg;base64,{frame}") } }))
        .chain([json!({ "type": "text", "text": "What?" })])
        .collect();
    let as_images = receipt(post(&server, json!(images), json!({})));
    assert_eq!(as_images["tokens"]["prompt"], four["tokens"]["prompt"]);
    let said =
        json!({ "media_io_kwargs": { "video": { "fps": 30.0, "frames_indices": [0, 15, 30, 45, 60] } } });
    assert_eq!(times(&receipt(ask(url(&frames), said))), [0.0, 0.5, 1.0, 1.5, 2.0]);
    let fewer = json!({ "media_io_kwargs": { "video": { "num_frames": 3 } } });
    assert_eq!(times(&receipt(ask(url(&frames), fewer))), [0.0, 2.0, 4.0]);
    assert_names(&ask(url(&["AAAA".into()]), json!({})).refused(400), &["is not a picture"]);
    assert_names(&ask(url(&["@".into()]), json!({})).refused(400), &["not base64"]);
}

#[test]
fn frames_are_chosen_in_vllms_words_too() {
    let server = Server::start("");
    let id = server.upload(&clip_bytes());
    let frames = |more: Value| answered(server.ask(&id, more))["longsight"]["receipt"]["frames"].clone();
    for (vllm, own) in [
        (json!({ "media_io_kwargs": { "video": { "num_frames": 3 } } }), json!({ "frames": 3 })),
        (
            json!({ "mm_processor_kwargs": { "fps": 2.0, "do_sample_frames": true } }),
            json!({ "fps": 2.0, "max_frames": 2048 }),
        ),
        (
            json!({ "media_io_kwargs": { "video": { "num_frames": 2 } }, "mm_processor_kwargs": { "fps": 2 } }),
            json!({ "fps": 2, "max_frames": 2 }),
        ),
        (json!({ "media_io_kwargs": {}, "mm_processor_kwargs": null }), json!({})),
    ] {
        assert_eq!(frames(vllm.clone()), frames(json!({ "longsight": own })), "{vllm}");
    }
    for (vllm, said) in [
        (
            json!({ "media_io_kwargs": { "video": { "num_frames": 3 } }, "longsight": { "frames": 3 } }),
            "chosen twice",
        ),
        (
            json!({ "media_io_kwargs": { "video": { "fps": 1 } }, "mm_processor_kwargs": { "fps": 2 } }),
            "differ",
        ),
        (json!({ "media_io_kwargs": { "video": { "colour": 1 } } }), "unknown field `colour`"),
        (json!({ "mm_processor_kwargs": { "max_pixels": 1 } }), "unknown field `max_pixels`"),
        (json!({ "mm_processor_kwargs": { "num_frames": 100_000 } }), "100000 frames"),
    ] {
        assert_names(&server.ask(&id, vllm).refused(400), &[said]);
    }
}

#[test]
fn pictures_keep_their_place_or_are_refused() {
    let server = Server::start("");
    let image = |level: u8| {
        let url = format!("data:image/png;base64,{}", STANDARD.encode(picture("png", level)));
        json!({ "type": "image_url", "image_url": { "url": url } })
    };
    let text = |words: &str| json!({ "type": "text", "text": words });
    let warned =
        |answer: &Value| answer["longsight"]["receipt"]["warnings"].to_string().contains("the words before");
    let first = answered(post(&server, json!([image(0), text("What?")]), json!({})));
    let last = answered(post(&server, json!([text("What?"), image(0)]), json!({})));
    assert!(!warned(&first) && warned(&last));
    assert_eq!(first["longsight"]["token_ids"], last["longsight"]["token_ids"]);
    let between = post(&server, json!([image(0), text("and"), image(90), text("What?")]), json!({}));
    assert_names(&between.refused(400), &["text between pictures"]);
    let turns = json!({ "messages": [
        { "role": "user", "content": [image(0), text("What?")] },
        { "role": "assistant", "content": "A card." },
        { "role": "user", "content": [image(90), text("And this?")] },
    ] });
    assert_names(&post(&server, json!([]), turns).refused(400), &["first message of the user"]);
}

#[test]
fn one_picture_that_is_mentioned_often_is_on_the_disk_once() {
    let noise: Vec<u8> = (0..64u32 * 64 * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_raw(64, 64, noise).unwrap().write_to(&mut png, image::ImageFormat::Png).unwrap();
    let bytes = png.into_inner();
    // Room for the upload, and for one more of it.
    let server = Server::start(&format!("--max-storage {}B", 2 * bytes.len() + 100));
    let id = server.upload(&bytes);
    let data = format!("data:image/png;base64,{}", STANDARD.encode(&bytes));
    for url in [&id, &data] {
        let mut content = vec![json!({ "type": "image_url", "image_url": { "url": url } }); 12];
        content.push(json!({ "type": "text", "text": "What?" }));
        let answer = answered(post(&server, json!(content), json!({})));
        assert_eq!(answer["longsight"]["receipt"]["frames"].as_array().unwrap().len(), 12);
    }
    let other = format!("data:image/png;base64,{}", STANDARD.encode([&bytes[..], b"more"].concat()));
    let content = json!([
        { "type": "image_url", "image_url": { "url": data } },
        { "type": "image_url", "image_url": { "url": other } },
        { "type": "text", "text": "What?" },
    ]);
    assert_names(&post(&server, content, json!({})).refused(507), &["storage is full"]);
}
