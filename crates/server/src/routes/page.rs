//! The web page, inside the program.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Nothing is loaded from elsewhere, and nothing runs that is not in the files.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Path, type and text of each file.
pub(crate) const FILES: [(&str, &str, &str); 8] = [
    ("/", "text/html; charset=utf-8", include_str!("../../web/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../../web/style.css")),
    ("/base.js", SCRIPT, include_str!("../../web/base.js")),
    ("/videos.js", SCRIPT, include_str!("../../web/videos.js")),
    ("/plan.js", SCRIPT, include_str!("../../web/plan.js")),
    ("/answer.js", SCRIPT, include_str!("../../web/answer.js")),
    ("/app.js", SCRIPT, include_str!("../../web/app.js")),
    ("/openapi.json", "application/json", include_str!("../../web/openapi.json")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file as it is sent.
pub(crate) fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
