//! What became of the messages that a producer was given.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;

use crate::record::Uid;

/// Written by the producer's threads, read by the sink's.
#[derive(Default)]
pub(super) struct Ledger {
    page: Mutex<Page>,
    changed: Condvar,
}

/// What is known.
#[derive(Default)]
pub(super) struct Page {
    /// Records that were given and whose end was not yet told to the courier; no more than one batch.
    pub(super) fates: HashMap<Uid, Fate>,
    /// What went wrong last that concerns no single message.
    pub(super) trouble: Option<(RDKafkaErrorCode, String)>,
    /// Some broker does not let us in as we are, and none has taken anything since.
    pub(super) is_locked_out: bool,
    /// Nothing can be sent any more: the producer must be made anew.
    pub(super) is_fatal: bool,
    /// Where the last message was stored.
    pub(super) place: String,
}

/// Of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Waits to be sent, or for the brokers.
    UnderWay,
    /// All replicas in sync have it.
    Stored,
    /// It will not be stored, unless it is given again.
    Failed(RDKafkaErrorCode),
}

impl Page {
    /// The records that need not be given again, whichever producer goes on.
    pub(super) fn stored(&self) -> impl Iterator<Item = Uid> {
        self.fates.iter().filter(|(_, fate)| **fate == Fate::Stored).map(|(uid, _)| *uid)
    }
}

impl Ledger {
    /// Of a new producer, after one that had stored some records of the batch.
    pub(super) fn going_on(stored: Vec<Uid>) -> Self {
        let fates = stored.into_iter().map(|uid| (uid, Fate::Stored)).collect();
        Self { page: Mutex::new(Page { fates, ..Page::default() }), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until none of the records is under way any more, the producer is of no use, or the time is over.
    pub(super) fn wait(&self, mut under_way: Vec<Uid>, span_max: Duration) {
        let deadline = Instant::now() + span_max;
        let mut page = self.lock();
        loop {
            under_way.retain(|uid| page.fates.get(uid) == Some(&Fate::UnderWay));
            let left = deadline.saturating_duration_since(Instant::now());
            if under_way.is_empty() || page.is_fatal || left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(page, left);
            page = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl ClientContext for Ledger {
    /// What librdkafka says beside errors is for whoever looks for the reason of one.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!("librdkafka: {facility} {text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let mut page = self.lock();
        page.is_fatal |= code == RDKafkaErrorCode::Fatal;
        page.is_locked_out |=
            matches!(code, RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL);
        // "All brokers down" follows the reason why the last one is, and says less.
        if code != RDKafkaErrorCode::AllBrokersDown || page.trouble.is_none() {
            page.trouble = Some((code, reason.to_owned()));
        }
        drop(page);
        self.changed.notify_all();
    }
}

impl ProducerContext for Ledger {
    type DeliveryOpaque = Box<Uid>;

    fn delivery(&self, result: &DeliveryResult<'_>, uid: Box<Uid>) {
        let mut page = self.lock();
        let fate = match result {
            Ok(message) => {
                page.trouble = None;
                page.is_locked_out = false;
                let (topic, partition) = (message.topic(), message.partition());
                page.place = format!("{topic}, partition {partition}, offset {}", message.offset());
                Fate::Stored
            }
            Err((error, _)) => {
                Fate::Failed(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))
            }
        };
        page.fates.insert(*uid, fate);
        drop(page);
        self.changed.notify_all();
    }
}
