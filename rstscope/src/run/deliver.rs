//! Events on their way to the sinks; sinks may change while events come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use anyhow::Context as _;
use collector::{DeliveryState, SinkState, SpoolState};
use delivery::{Delivery, Identity, Options, OwnSink, SinkStatus, Status};
use events::{Body, Event, Evidence, Minute};

use super::privileges;
use crate::config::Config;
use crate::identity::identity;

/// Delivery by the configuration in force.
pub(super) struct Deliver {
    delivery: Arc<Delivery>,
    options: Options,
    /// Sinks that no configuration names.
    own: Vec<OwnSink>,
    /// The next one, while it is made, and what waits for it.
    next: Option<(Receiver<Made>, Vec<Body>)>,
    /// What found no room while it was made.
    not_kept: u64,
    /// Neither the old options nor new ones would do.
    is_over: bool,
    has_privileges: bool,
}

/// What came of the attempt to deliver otherwise.
struct Made {
    delivery: Arc<Delivery>,
    options: Options,
}

impl Deliver {
    /// Opens the spool and begins to send. `own` are sinks that no configuration names: where nobody else
    /// wants a spool and none can be opened, they are left out, and that is told.
    ///
    /// # Errors
    /// An option cannot be as it is, or the spool cannot be opened.
    pub(super) fn start(config: &Config, own: Vec<OwnSink>) -> anyhow::Result<Self> {
        let options = options_of(config);
        let identity = identity(config);
        let has_privileges = !config.service.drop_privileges;
        let (delivery, own) = match begun(&options, &identity, &own, has_privileges) {
            Ok(delivery) => (delivery, own),
            Err(error) if options.sinks.is_empty() && !own.is_empty() => {
                tracing::warn!("{error}; going on without history");
                (begun(&options, &identity, &[], has_privileges)?, Vec::new())
            }
            Err(error) => return Err(error).context("open the spool"),
        };
        let delivery = Arc::new(delivery);
        Ok(Self { delivery, options, own, next: None, not_kept: 0, is_over: false, has_privileges })
    }

    /// Whether `config` asks for something else than what is done, or nothing can be done any more.
    pub(super) fn differs(&self, config: &Config) -> bool {
        self.is_over || options_of(config) != self.options
    }

    pub(super) fn is_wanted(&self) -> bool {
        !self.options.sinks.is_empty() || !self.own.is_empty()
    }

    pub(super) fn emit(&mut self, event: &Event) {
        match &self.next {
            None => self.delivery.emit(event),
            Some(_) => self.keep(Body::Event(event.clone())),
        }
    }

    pub(super) fn minute(&mut self, minute: &Minute) {
        match &self.next {
            None => self.delivery.minute(minute),
            Some(_) => self.keep(Body::Minute(minute.clone())),
        }
    }

    pub(super) fn evidence(&mut self, evidence: &Evidence) {
        match &self.next {
            None => self.delivery.evidence(evidence),
            Some(_) => self.keep(Body::Evidence(evidence.clone())),
        }
    }

    fn keep(&mut self, body: Body) {
        match &mut self.next {
            Some((_, waiting)) if waiting.len() < WAITING_MAX => waiting.push(body),
            _ => self.not_kept += 1,
        }
    }

    /// Sends as `config` says from now on: the sinks of old finish what they are at, meanwhile events wait.
    pub(super) fn change(&mut self, config: &Config) {
        let options = options_of(config);
        if let Err(error) = options.check() {
            tracing::error!("sinks stay as they were: {error}");
            return;
        }
        if self.next.is_some() {
            tracing::error!("sinks are being changed already; send SIGHUP once more in a while");
            return;
        }
        let (sender, made) = channel();
        let (old, old_options) = (Arc::clone(&self.delivery), self.options.clone());
        let has_privileges = self.has_privileges;
        let (identity, own) = (identity(config), self.own.clone());
        let change = move || {
            // The spool's directory is for one at a time.
            old.stop();
            let begun = |options: &Options| begun(options, &identity, &own, has_privileges);
            let (delivery, options) = match begun(&options) {
                Ok(delivery) => (delivery, options),
                Err(error) => {
                    tracing::error!("sinks stay as they were: {error}");
                    match begun(&old_options) {
                        Ok(delivery) => (delivery, old_options),
                        Err(error) => {
                            tracing::error!("nothing is delivered until the next SIGHUP: {error}");
                            return;
                        }
                    }
                }
            };
            // Nobody waits if the run has ended.
            let _ = sender.send(Made { delivery: Arc::new(delivery), options });
        };
        match std::thread::Builder::new().name("sinks-change".to_owned()).spawn(change) {
            Ok(_) => self.next = Some((made, Vec::new())),
            Err(error) => tracing::error!("sinks stay as they were: start a thread: {error}"),
        }
    }

    /// How it goes; takes over what was made in the meantime.
    pub(super) fn status(&mut self) -> Status {
        if let Some((made, waiting)) = self.next.take() {
            match made.try_recv() {
                Ok(made) => self.take_over(made, &waiting),
                Err(TryRecvError::Empty) => self.next = Some((made, waiting)),
                Err(TryRecvError::Disconnected) => {
                    self.is_over = true;
                    self.not_kept += waiting.len() as u64;
                }
            }
        }
        let mut status = self.delivery.status();
        status.spool.not_spooled += self.not_kept;
        status
    }

    /// Writes what was handed over and lets sinks send what goes at once.
    pub(super) fn stop(&mut self) -> Status {
        if let Some((made, waiting)) = self.next.take() {
            match made.recv() {
                Ok(made) => self.take_over(made, &waiting),
                Err(_) => self.not_kept += waiting.len() as u64,
            }
        }
        self.delivery.stop();
        self.status()
    }

    /// The old one has stopped; what it could not keep stays counted.
    fn take_over(&mut self, made: Made, waiting: &[Body]) {
        self.not_kept += self.delivery.status().spool.not_spooled;
        (self.delivery, self.options, self.is_over) = (made.delivery, made.options, false);
        for body in waiting {
            match body {
                Body::Event(event) => self.delivery.emit(event),
                Body::Minute(minute) => self.delivery.minute(minute),
                Body::Evidence(evidence) => self.delivery.evidence(evidence),
            }
        }
    }
}

fn options_of(config: &Config) -> Options {
    Options { spool: config.spool.clone(), sinks: config.sink.clone() }
}

/// Starts delivery from a thread without capabilities, so that its threads have none.
fn begun(
    options: &Options,
    identity: &Identity,
    own: &[OwnSink],
    has_privileges: bool,
) -> Result<Delivery, delivery::Error> {
    privileges::without(has_privileges, || Delivery::start(options, identity, own))
}

/// The same for metrics and health.
pub(super) fn state_of(status: &Status) -> DeliveryState {
    if status.sinks.is_empty() {
        return DeliveryState::default();
    }
    let spool = &status.spool;
    let spool = SpoolState {
        events: spool.events,
        bytes: spool.bytes,
        bytes_max: spool.bytes_max,
        oldest_s: spool.oldest_s,
        not_spooled: spool.not_spooled,
        problem: spool.error.clone(),
    };
    DeliveryState { spool: Some(spool), sinks: status.sinks.iter().map(sink_state).collect() }
}

fn sink_state(sink: &SinkStatus) -> SinkState {
    let events = [
        ("sent", sink.sent),
        ("refused", sink.refused),
        ("dropped", sink.dropped),
        ("damaged", sink.damaged),
    ];
    SinkState {
        name: sink.name.clone(),
        kind: sink.kind.clone(),
        events: BTreeMap::from(events.map(|(outcome, count)| (outcome.to_owned(), count))),
        retried: sink.retried,
        waiting: sink.lag_events,
        lag_s: sink.lag_s,
        problem: sink.last_error.clone(),
    }
}

/// Events that wait while sinks change.
const WAITING_MAX: usize = 8192;
