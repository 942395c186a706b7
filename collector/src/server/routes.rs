//! What can be asked.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};

use super::access::{self, Access};
use super::query::question;
use super::refusal::{Refused, refuse, wrong};
use crate::answers::{EventPage, EventSheet, Snapshot, StatusPage, VersionPage};
use crate::metrics;
use crate::recent::Recent;

type Known = State<Arc<Recent>>;
type Pairs = Query<Vec<(String, String)>>;

/// All routes. Health is told to everybody who reaches the port, the rest to whom `access` admits.
pub(crate) fn router(recent: Arc<Recent>, access: Access) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(prometheus))
        .route("/api/v1/version", get(version))
        .route("/api/v1/status", get(status))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/events", get(events))
        .route("/api/v1/events/{id}", get(sheet))
        .layer(middleware::from_fn_with_state(access.clone(), access::check));
    let session = Router::new()
        .route("/api/v1/session", get(access::who).post(access::begin).delete(access::end))
        .with_state(access);
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .merge(guarded)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(recent)
        .merge(session)
}

async fn healthz(State(recent): Known) -> Response {
    let health = recent.health();
    told(health.is_alive, health.problems)
}

async fn readyz(State(recent): Known) -> Response {
    let health = recent.health();
    told(health.is_ready, health.problems)
}

/// 200 if it is so; else 503 and why not, a line each.
fn told(is_so: bool, problems: Vec<String>) -> Response {
    if is_so {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n").into_response()
}

async fn prometheus(State(recent): Known) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], metrics::encode(&recent))
}

async fn version(State(recent): Known) -> Json<VersionPage> {
    let version = recent.version().to_owned();
    Json(VersionPage { version, api: API, event_schema: events::SCHEMA })
}

async fn status(State(recent): Known) -> Json<StatusPage> {
    Json(recent.status_page())
}

async fn snapshot(
    State(recent): Known,
    pairs: Result<Pairs, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Snapshot>, Refused> {
    let Query(pairs) = pairs.map_err(|error| wrong(error.body_text()))?;
    Ok(Json(recent.snapshot(&question(&pairs, ROWS, ROWS_MAX)?)))
}

async fn events(
    State(recent): Known,
    pairs: Result<Pairs, axum::extract::rejection::QueryRejection>,
) -> Result<Json<EventPage>, Refused> {
    let Query(pairs) = pairs.map_err(|error| wrong(error.body_text()))?;
    Ok(Json(recent.events(&question(&pairs, EVENTS, EVENTS_MAX)?)))
}

async fn sheet(
    State(recent): Known,
    Path(id): Path<String>,
    pairs: Result<Pairs, axum::extract::rejection::QueryRejection>,
) -> Result<Json<EventSheet>, Refused> {
    let Query(pairs) = pairs.map_err(|error| wrong(error.body_text()))?;
    let width = pairs.iter().find(|(name, _)| name == "width").map(|(_, value)| value.parse());
    let width = match width {
        None => SHEET_WIDTH,
        Some(Ok(width)) if (40..=400).contains(&width) => width,
        Some(_) => return Err(wrong("width is the columns of the proof sheet, from 40 to 400")),
    };
    recent.sheet(&id, width).map(Json).ok_or_else(|| {
        refuse(
            StatusCode::NOT_FOUND,
            "no such event is kept: it never was, or newer ones have taken its place (events_kept)",
        )
    })
}

async fn unknown() -> Refused {
    refuse(
        StatusCode::NOT_FOUND,
        "there are /api/v1/status, /api/v1/snapshot, /api/v1/events, /api/v1/events/ID, \
         /api/v1/version, /metrics, /healthz, /readyz",
    )
}

async fn wrong_method() -> Refused {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "everything here is read with GET")
}

/// Version of the answers.
const API: u32 = 1;
/// The text format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Servers of a snapshot, unless said.
const ROWS: usize = 100;
const ROWS_MAX: usize = 10_000;
/// Events of a page, unless said; one is some 4 KB of JSON.
const EVENTS: usize = 100;
const EVENTS_MAX: usize = 1_000;
const SHEET_WIDTH: usize = 100;
