//! What is known of the past: answers of the store, in threads that may wait, few at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use events::explain;
use tokio::time::timeout;

use super::Known;
use super::ask::{asked, now};
use super::late::{Pairs, pairs};
use super::refusal::{Refused, refuse, wrong};
use crate::answers::{EventSheet, FlowPage};
use crate::history::{
    BurstRow, DeviceRow, DisagreementRow, EventDetail, EventList, IdleHistogram, LogList, Overview,
    RowList, SensorRow, ServerDetail, ServerList,
};
use crate::order::ServerOrder;
use crate::past::{NoAnswer, Past};

type Told<T> = Result<Json<T>, Refused>;

pub(super) async fn overview(State(known): State<Known>, question: Pairs) -> Told<Overview> {
    let ask = asked(&pairs(question)?, now(), TOP, ROWS_MAX)?.ask;
    answer(&known, move |past| past.overview(&ask)).await
}

pub(super) async fn servers(State(known): State<Known>, question: Pairs) -> Told<ServerList> {
    let asked = asked(&pairs(question)?, now(), ROWS, ROWS_MAX)?;
    let order = ServerOrder::read(asked.sort.as_deref(), asked.search).map_err(wrong)?;
    answer(&known, move |past| past.servers(&asked.ask, &order)).await
}

pub(super) async fn server(
    State(known): State<Known>,
    Path(name): Path<String>,
    question: Pairs,
) -> Told<ServerDetail> {
    let ask = asked(&pairs(question)?, now(), TOP, ROWS_MAX)?.ask;
    let server = super::range::read(&name).ok_or_else(|| {
        wrong(format!(
            "{name:?} is no server; write 10.0.0.5:443, [2001:db8::1]:443 or 10.0.0.0/24"
        ))
    })?;
    answer(&known, move |past| past.server(server, &ask)).await
}

pub(super) async fn idle(State(known): State<Known>, question: Pairs) -> Told<IdleHistogram> {
    let ask = asked(&pairs(question)?, now(), TOP, ROWS_MAX)?.ask;
    answer(&known, move |past| past.idle(&ask)).await
}

pub(super) async fn history(State(known): State<Known>, question: Pairs) -> Told<EventList> {
    let ask = asked(&pairs(question)?, now(), ROWS, ROWS_MAX)?.ask;
    answer(&known, move |past| past.events(&ask)).await
}

/// From the store; what is not there yet, or is no longer, from memory.
pub(super) async fn event(State(known): State<Known>, Path(id): Path<String>) -> Told<FlowPage> {
    let recent = Arc::clone(&known.offer.recent);
    let wanted = id.clone();
    let detail = match answer(&known, move |past| past.event(&wanted)).await {
        Ok(Json(detail)) => detail,
        Err(refusal) => {
            let sheet = recent.sheet(&id, SHEET_WIDTH).ok_or(refusal)?;
            let ladder = recent.evidence_of(&id).map_or_else(Vec::new, |kept| kept.ladder());
            let EventSheet { sensor, event, sheet, .. } = sheet;
            EventDetail { sensor, event, sheet, ladder, same_connection: Vec::new() }
        }
    };
    let explanation = explain::explanation(&detail.event);
    Ok(Json(FlowPage { detail, explanation }))
}

/// From the store; what is not there, from memory.
pub(super) async fn evidence(
    State(known): State<Known>,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let name = format!("attachment; filename=\"rstscope-{}.pcapng\"", plain(&id));
    let recent = Arc::clone(&known.offer.recent);
    let wanted = id.clone();
    let stored = answer(&known, move |past| {
        let evidence = past.evidence(&wanted)?;
        // Packets are worth having without their event, too.
        let event = past.event(&wanted).ok().map(|detail| detail.event);
        Ok(evidence.to_pcapng(event.as_ref()))
    })
    .await;
    let bytes = match stored {
        Ok(Json(bytes)) => bytes,
        Err(refusal) => {
            let kept = recent.evidence_of(&id).ok_or(refusal)?;
            let event = recent.sheet(&id, SHEET_WIDTH).map(|sheet| sheet.event);
            kept.to_pcapng(event.as_ref())
        }
    };
    Ok(([(header::CONTENT_TYPE, PCAPNG.to_owned()), (header::CONTENT_DISPOSITION, name)], bytes)
        .into_response())
}

pub(super) async fn bursts(State(known): State<Known>, question: Pairs) -> Told<RowList<BurstRow>> {
    let ask = asked(&pairs(question)?, now(), ROWS, ROWS_MAX)?.ask;
    answer(&known, move |past| past.bursts(&ask)).await
}

pub(super) async fn devices(
    State(known): State<Known>,
    question: Pairs,
) -> Told<RowList<DeviceRow>> {
    let ask = asked(&pairs(question)?, now(), ROWS, ROWS_MAX)?.ask;
    answer(&known, move |past| past.devices(&ask)).await
}

pub(super) async fn sensors(State(known): State<Known>) -> Told<Vec<SensorRow>> {
    answer(&known, |past| past.sensors()).await
}

pub(super) async fn disagreements(
    State(known): State<Known>,
    question: Pairs,
) -> Told<RowList<DisagreementRow>> {
    let ask = asked(&pairs(question)?, now(), ROWS, ROWS_MAX)?.ask;
    answer(&known, move |past| past.disagreements(&ask)).await
}

pub(super) async fn logs(State(known): State<Known>) -> Json<LogList> {
    Json(known.offer.logs.as_ref().map(|logs| logs()).unwrap_or_default())
}

/// Asks the store where waiting hurts nobody.
async fn answer<T: Send + 'static>(
    known: &Known,
    question: impl FnOnce(&dyn Past) -> Result<T, NoAnswer> + Send + 'static,
) -> Told<T> {
    let past = known.offer.past.clone();
    let past = past.ok_or_else(|| refuse(StatusCode::SERVICE_UNAVAILABLE, NO_PAST))?;
    let place = timeout(PLACE_S, Arc::clone(&known.places).acquire_owned()).await;
    let Ok(Ok(place)) = place else {
        return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, BUSY));
    };
    let work = tokio::task::spawn_blocking(move || {
        let answer = question(&*past);
        drop(place);
        answer
    });
    match work.await {
        Ok(Ok(answer)) => Ok(Json(answer)),
        Ok(Err(NoAnswer::Wrong(text))) => Err(wrong(text)),
        Ok(Err(NoAnswer::Unknown(text))) => Err(refuse(StatusCode::NOT_FOUND, text)),
        Ok(Err(NoAnswer::Later(text))) => Err(refuse(StatusCode::SERVICE_UNAVAILABLE, text)),
        Err(_) => Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, BROKE)),
    }
}

/// What of a name can stand in a header.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

/// Servers of an overview and the like, unless said.
const TOP: usize = 20;
/// Rows of a list, unless said.
const ROWS: usize = 200;
const ROWS_MAX: usize = 1_000;
const SHEET_WIDTH: usize = 100;
/// Questions that the store is asked at a time.
pub(super) const PLACES: usize = 4;
/// How long a question waits for its turn.
const PLACE_S: Duration = Duration::from_secs(10);
const PCAPNG: &str = "application/x-pcapng";
const NO_PAST: &str = "no history is kept here: in section [store] of the configuration the store is off, or its \
                       directory could not be written; what is known of late is in /api/v1/events";
const BUSY: &str = "the store is busy with other questions; ask again in a moment";
const BROKE: &str = "the answer could not be made: a fault of this program, its log says more";
