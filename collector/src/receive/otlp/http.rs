//! OTLP/HTTP. Source: the OTLP specification 1.x, section "OTLP/HTTP".

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost::Message as _;

use super::answer::{self, RETRY_S};
use super::{Found, json, protobuf};
use crate::receive::counts::Fate;
use crate::receive::desk::Receipt;
use crate::receive::gate::Gate;
use crate::receive::inflate::{Coding, InflateError};

/// What can be asked of the HTTP receiver.
pub(crate) fn router(gate: Gate) -> Router {
    Router::new()
        .route("/v1/logs", post(logs))
        .route("/v1/metrics", post(metrics))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(gate)
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Protobuf,
    Json,
}

/// A request that is not taken.
struct Refusal {
    status: StatusCode,
    fate: Fate,
    text: String,
}

impl Refusal {
    fn new(status: StatusCode, fate: Fate, text: impl Into<String>) -> Self {
        Self { status, fate, text: text.into() }
    }

    fn too_long(gate: &Gate) -> Self {
        let text =
            format!("longer than {} bytes, before or after it is inflated", gate.body_bytes_max);
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Fate::TooLong, text)
    }
}

async fn logs(State(gate): State<Gate>, request: Request) -> Response {
    let form = form(request.headers());
    match receive(&gate, form, request).await {
        Ok(receipt) => taken(form.unwrap_or(Form::Protobuf), &receipt),
        Err(refusal) => {
            // The desk has counted what became of records that it was given.
            if !matches!(refusal.fate, Fate::Unstored) {
                gate.refuse(refusal.fate, &refusal.text);
            }
            refused(form.unwrap_or(Form::Protobuf), &refusal)
        }
    }
}

async fn receive(gate: &Gate, form: Option<Form>, request: Request) -> Result<Receipt, Refusal> {
    gate.admits(request.headers())
        .map_err(|text| Refusal::new(StatusCode::UNAUTHORIZED, Fate::Unauthorised, text))?;
    let unsupported =
        |text| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Fate::Unsupported, text);
    let form = form.ok_or_else(|| {
        unsupported("Content-Type must be application/x-protobuf or application/json")
    })?;
    let coding = coding(request.headers())
        .ok_or_else(|| unsupported("Content-Encoding must be gzip, zstd or identity"))?;
    let _place = gate.place().ok_or_else(|| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Fate::Busy, "too many requests at a time")
    })?;
    let body = tokio::time::timeout(gate.request_timeout, read(gate, request.into_body())).await;
    let body = body.map_err(|_| {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, Fate::TooSlow, "the body did not come in time")
    })??;
    let found = parsed(gate, form, coding, body).await?;
    gate.desk.store(found).await.map_err(|trouble| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Fate::Unstored, trouble.text_for_sender())
    })
}

async fn read(gate: &Gate, body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, gate.body_bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_long(gate)),
        Err(error) => {
            let text = format!("the body broke off: {error}");
            Err(Refusal::new(StatusCode::BAD_REQUEST, Fate::Malformed, text))
        }
    }
}

/// Inflates and reads a body where it holds up nobody.
async fn parsed(gate: &Gate, form: Form, coding: Coding, body: Bytes) -> Result<Found, Refusal> {
    let limit = gate.body_bytes_max;
    let work = move || -> Result<Found, Result<InflateError, String>> {
        let plain = coding.inflate(body, limit).map_err(Ok)?;
        match form {
            Form::Protobuf => protobuf::records(&plain).map_err(Err),
            Form::Json => json::records(&plain).map_err(Err),
        }
    };
    let malformed = |text| Refusal::new(StatusCode::BAD_REQUEST, Fate::Malformed, text);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(Ok(InflateError::TooLong))) => Err(Refusal::too_long(gate)),
        Ok(Err(Ok(InflateError::Damaged(why)))) => {
            Err(malformed(format!("the body cannot be inflated: {why}")))
        }
        Ok(Err(Err(why))) => Err(malformed(why)),
        // All ends before it was read.
        Err(_) => {
            let text = "this collector is ending";
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Fate::Unstored, text))
        }
    }
}

async fn metrics(State(gate): State<Gate>, request: Request) -> Response {
    let form = form(request.headers()).unwrap_or(Form::Protobuf);
    let refusal = match gate.admits(request.headers()) {
        Err(text) => Refusal::new(StatusCode::UNAUTHORIZED, Fate::Unauthorised, text),
        Ok(()) => Refusal::new(StatusCode::NOT_IMPLEMENTED, Fate::Unsupported, answer::NO_METRICS),
    };
    gate.refuse(refusal.fate, &refusal.text);
    refused(form, &refusal)
}

async fn unknown(State(gate): State<Gate>) -> Response {
    gate.refuse(Fate::Unsupported, "unknown path");
    let text =
        "there are POST /v1/logs and POST /v1/metrics; API and page have an address of their own";
    refused(Form::Json, &Refusal::new(StatusCode::NOT_FOUND, Fate::Unsupported, text))
}

async fn wrong_method(State(gate): State<Gate>) -> Response {
    gate.refuse(Fate::Unsupported, "unknown method");
    let refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Fate::Unsupported,
        "records are sent with POST",
    );
    refused(Form::Json, &refusal)
}

fn form(headers: &HeaderMap) -> Option<Form> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match value.split(';').next()?.trim() {
        PROTOBUF => Some(Form::Protobuf),
        JSON => Some(Form::Json),
        _ => None,
    }
}

fn coding(headers: &HeaderMap) -> Option<Coding> {
    match headers.get(header::CONTENT_ENCODING) {
        None => Some(Coding::Identity),
        Some(value) => Coding::named(value.to_str().ok()?),
    }
}

fn taken(form: Form, receipt: &Receipt) -> Response {
    match form {
        Form::Protobuf => {
            ([(header::CONTENT_TYPE, PROTOBUF)], answer::taken(receipt).encode_to_vec())
                .into_response()
        }
        Form::Json => ([(header::CONTENT_TYPE, JSON)], answer::taken_json(receipt)).into_response(),
    }
}

/// A status of `google.rpc` in the form of the request, as the specification asks for.
fn refused(form: Form, refusal: &Refusal) -> Response {
    let body = match form {
        Form::Protobuf => {
            let body = answer::status(0, &refusal.text, None).encode_to_vec();
            ([(header::CONTENT_TYPE, PROTOBUF)], body).into_response()
        }
        Form::Json => {
            let body = serde_json::json!({ "message": refusal.text }).to_string();
            ([(header::CONTENT_TYPE, JSON)], body).into_response()
        }
    };
    let mut response = (refusal.status, body).into_response();
    let headers = response.headers_mut();
    match refusal.status {
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(RETRY_S));
        }
        StatusCode::UNAUTHORIZED => {
            let bearer = header::HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, bearer);
        }
        _ => {}
    }
    response
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
