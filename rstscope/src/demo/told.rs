//! What the sensor of the demo says.

use std::io;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::{Body, Event, Evidence, Minute, Start};
use pipeline::Sink;

/// Keeps all of it; the demo makes a few dozen resets.
#[derive(Default)]
pub(super) struct Told {
    pub(super) events: Events,
    /// Minutes and packets.
    pub(super) beside: Vec<Body>,
    /// Who waits for the sensor to have begun, and shows its inputs.
    pub(super) on_start: Option<Sender<Start>>,
}

/// Events, for whoever waits for them as well.
#[derive(Clone, Default)]
pub(super) struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Told {
    fn start(&mut self, start: &Start) -> io::Result<()> {
        if let Some(waiter) = &self.on_start {
            // The other end is gone only if the demo has ended.
            let _ = waiter.send(start.clone());
        }
        Ok(())
    }

    fn emit(&mut self, event: &Event) -> io::Result<()> {
        self.events.lock().push(event.clone());
        Ok(())
    }

    fn wants_minutes(&self) -> bool {
        true
    }

    fn minute(&mut self, minute: &Minute) -> io::Result<()> {
        self.beside.push(Body::Minute(minute.clone()));
        Ok(())
    }

    fn evidence(&mut self, evidence: &Evidence) -> io::Result<()> {
        self.beside.push(Body::Evidence(evidence.clone()));
        Ok(())
    }
}
