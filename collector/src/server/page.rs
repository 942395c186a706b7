//! The page: files of `web/dist`, part of the program.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::refusal::refuse;

/// Made by `deploy/web.sh` of `web/`.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Files;

/// The page itself, whichever view its address names.
pub(crate) async fn index(headers: HeaderMap) -> Response {
    answer("index.html", &headers, "no-cache")
}

/// The sign in the browser's tab.
pub(crate) async fn icon(headers: HeaderMap) -> Response {
    answer("icon.svg", &headers, "no-cache")
}

/// Script and style sheet: their names change with what is in them.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(&format!("assets/{name}"), &headers, "public, max-age=31536000, immutable")
}

fn answer(name: &str, asked: &HeaderMap, cache: &'static str) -> Response {
    let Some(file) = Files::get(name) else {
        return refuse(StatusCode::NOT_FOUND, "the page has no such file: load it anew")
            .into_response();
    };
    let tag = etag(&file);
    let cached = (header::CACHE_CONTROL, HeaderValue::from_static(cache));
    let is_known = |known: &HeaderValue| {
        let known = known.as_bytes();
        known == b"*" || tag.as_ref().is_some_and(|tag| known == tag.as_bytes())
    };
    let mut response = if asked.get(header::IF_NONE_MATCH).is_some_and(is_known) {
        (StatusCode::NOT_MODIFIED, [cached]).into_response()
    } else {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
        ([cached, kind], file.data).into_response()
    };
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn etag(file: &EmbeddedFile) -> Option<HeaderValue> {
    let hash = file.metadata.sha256_hash();
    let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{digits}\"")).ok()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
