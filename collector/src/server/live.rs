//! Resets as they come and the status once a second, as server-sent events.
//!
//! Nobody keeps anything for a listener: each reads what is known of late from where it stopped. One who reads
//! too slowly is told how many events were gone before he came to them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use events::{Event, Status};
use futures_util::Stream;
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::refusal::refuse;
use crate::history::EventRow;
use crate::impacts::ImpactCounts;
use crate::recent::{Question, Recent};

/// Places for listeners.
#[derive(Clone, Debug)]
pub(crate) struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS_MAX)))
    }
}

/// The message `status`, once a second.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct LiveStatus {
    /// Name of the sensor.
    pub sensor: String,
    /// Seconds since its start.
    pub uptime_s: f64,
    /// Packets.
    pub packets: u64,
    /// Connections that were opened or met since the start.
    pub connections: u64,
    /// Primary resets since the start.
    pub resets: u64,
    /// Events that this listener missed, because they were gone before it read them.
    pub missed: u64,
}

/// Listens, while there is a place.
pub(crate) fn listen(recent: Arc<Recent>, listeners: &Listeners) -> Response {
    let Ok(place) = Arc::clone(&listeners.0).try_acquire_owned() else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many listen already: close a page, or ask for overview now and then",
        )
        .into_response();
    };
    Sse::new(messages(recent, place)).keep_alive(KeepAlive::default()).into_response()
}

struct Listener {
    recent: Arc<Recent>,
    second: Interval,
    /// Number of the last event that was read.
    next: u64,
    missed: u64,
    waiting: std::vec::IntoIter<Message>,
    _place: OwnedSemaphorePermit,
}

fn messages(
    recent: Arc<Recent>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Message, Infallible>> {
    let mut second = interval(SECOND);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let next = recent.events(&Question { limit: 1, ..Question::default() }).next;
    let waiting = Vec::new().into_iter();
    let listener = Listener { recent, second, next, missed: 0, waiting, _place: place };
    stream::unfold(listener, |mut listener| async move {
        loop {
            if let Some(message) = listener.waiting.next() {
                return Some((Ok(message), listener));
            }
            listener.second.tick().await;
            listener.waiting = listener.read().into_iter();
        }
    })
}

impl Listener {
    /// What has come since the last time, then the status.
    fn read(&mut self) -> Vec<Message> {
        let question =
            Question { after: Some(self.next), limit: MESSAGES_MAX, ..Question::default() };
        let page = self.recent.events(&question);
        self.next = page.next;
        self.missed += page.missed;
        let status = self.recent.status_page();
        let harmful = page.events.iter().filter(|numbered| is_worth(&numbered.event));
        let rows = harmful.map(|numbered| EventRow::of(&numbered.sensor, &numbered.event));
        let mut messages: Vec<Message> = rows.filter_map(|row| message("reset", &row)).collect();
        messages
            .extend(message("status", &live_status(&status.sensor, &status.status, self.missed)));
        messages
    }
}

fn is_worth(event: &Event) -> bool {
    event.counts() && ImpactCounts::is_harmful(event.verdict.impact)
}

fn live_status(sensor: &str, status: &Status, missed: u64) -> LiveStatus {
    LiveStatus {
        sensor: sensor.to_owned(),
        uptime_s: status.uptime_s,
        packets: status.packets,
        connections: status.connections.opened + status.connections.midstream,
        resets: status.resets,
        missed,
    }
}

fn message(name: &str, data: &impl Serialize) -> Option<Message> {
    Message::default().event(name).json_data(data).ok()
}

const LISTENERS_MAX: usize = 32;
/// Of one second; the rest comes in the next one.
const MESSAGES_MAX: usize = 100;
const SECOND: Duration = Duration::from_secs(1);
