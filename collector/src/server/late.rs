//! What is known of late: answers from memory.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use classifiers::{Cause, Effect, Impact, Origin, Role, Stage};

use super::query::question;
use super::refusal::{Refused, refuse, wrong};
use super::shape::{WIDTH_MAX, WIDTH_MIN};
use super::{Known, live};
use crate::answers::{EventPage, EventSheet, Snapshot, StatusPage, VersionPage, Vocabulary, Word};
use crate::metrics;

/// The pairs of an address.
pub(super) type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(super) fn pairs(pairs: Pairs) -> Result<Vec<(String, String)>, Refused> {
    pairs.map(|Query(pairs)| pairs).map_err(|error| wrong(error.body_text()))
}

pub(super) async fn healthz(State(known): State<Known>) -> Response {
    let health = known.offer.recent.health();
    told(health.is_alive, health.problems)
}

pub(super) async fn readyz(State(known): State<Known>) -> Response {
    let health = known.offer.recent.health();
    told(health.is_ready, health.problems)
}

/// 200 if it is so; else 503 and why not, a line each.
fn told(is_so: bool, problems: Vec<String>) -> Response {
    if is_so {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n").into_response()
}

pub(super) async fn prometheus(State(known): State<Known>) -> impl IntoResponse {
    let logs = known.offer.logs.as_ref().map(|logs| logs());
    let text = metrics::encode(&known.offer.recent, logs.as_ref());
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text)
}

pub(super) async fn version(State(known): State<Known>) -> Json<VersionPage> {
    let version = known.offer.recent.version().to_owned();
    Json(VersionPage { version, api: API, event_schema: events::SCHEMA })
}

pub(super) async fn status(State(known): State<Known>) -> Json<StatusPage> {
    Json(known.offer.recent.status_page())
}

pub(super) async fn snapshot(
    State(known): State<Known>,
    asked: Pairs,
) -> Result<Json<Snapshot>, Refused> {
    Ok(Json(known.offer.recent.snapshot(&question(&pairs(asked)?, ROWS, ROWS_MAX)?)))
}

pub(super) async fn events(
    State(known): State<Known>,
    asked: Pairs,
) -> Result<Json<EventPage>, Refused> {
    Ok(Json(known.offer.recent.events(&question(&pairs(asked)?, EVENTS, EVENTS_MAX)?)))
}

pub(super) async fn sheet(
    State(known): State<Known>,
    Path(id): Path<String>,
    asked: Pairs,
) -> Result<Json<EventSheet>, Refused> {
    let pairs = pairs(asked)?;
    let width = pairs.iter().find(|(name, _)| name == "width").map(|(_, value)| value.parse());
    let width = match width {
        None => SHEET_WIDTH,
        Some(Ok(width)) if (WIDTH_MIN..=WIDTH_MAX).contains(&width) => width,
        Some(_) => return Err(wrong("width is the columns of the proof sheet, from 40 to 400")),
    };
    known.offer.recent.sheet(&id, width).map(Json).ok_or_else(|| {
        refuse(
            StatusCode::NOT_FOUND,
            "no such event is kept: it never was, or newer ones have taken its place (events_kept)",
        )
    })
}

pub(super) async fn live(State(known): State<Known>) -> Response {
    live::listen(Arc::clone(&known.offer.recent), &known.listeners)
}

pub(super) async fn vocabulary() -> Json<Vocabulary> {
    macro_rules! words {
        ($kind:ident) => {
            $kind::ALL
                .iter()
                .map(|word| Word { name: word.name().into(), meaning: word.meaning().into() })
                .collect()
        };
    }
    let lists = [
        ("impact", words!(Impact)),
        ("origin", words!(Origin)),
        ("cause", words!(Cause)),
        ("stage", words!(Stage)),
        ("effect", words!(Effect)),
        ("role", words!(Role)),
    ];
    Json(lists.into_iter().map(|(name, words)| (name.to_owned(), words)).collect())
}

/// Version of the answers.
const API: u32 = 1;
/// The text format of Prometheus.
pub(super) const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Servers of a snapshot, unless said.
const ROWS: usize = 100;
const ROWS_MAX: usize = 10_000;
/// Events of a page, unless said; one is some 4 KB of JSON.
const EVENTS: usize = 100;
const EVENTS_MAX: usize = 1_000;
const SHEET_WIDTH: usize = 100;
