//! A sink that the program brings along: fed from the spool like all others, named by no option.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::options::SendOptions;
use crate::record::{Record, Uid};
use crate::sink::{Answer, Sink};

/// A sink made elsewhere, such as the store of the embedded collector. Its clones are the same sink: it
/// goes on where it was when delivery is started anew with other options.
#[derive(Clone)]
pub struct OwnSink {
    /// In counters and in the spool, where its place is kept: letters, digits, `-` and `_`.
    pub name: String,
    /// Which kind it is, for people.
    pub kind: &'static str,
    /// Where it stores, for people.
    pub target: String,
    /// What it takes, and at what pace; all records if `records` is absent.
    pub send: SendOptions,
    sink: Arc<Mutex<Box<dyn Sink>>>,
}

impl OwnSink {
    /// A sink with the default pace.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        kind: &'static str,
        target: impl Into<String>,
        sink: Box<dyn Sink>,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            target: target.into(),
            send: SendOptions::default(),
            sink: Arc::new(Mutex::new(sink)),
        }
    }

    pub(crate) fn sink(&self) -> Box<dyn Sink> {
        Box::new(Lent(self.sink.clone()))
    }
}

impl fmt::Debug for OwnSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} to {}", self.kind, self.name, self.target)
    }
}

/// The sink, for one thread at a time: the one before has ended when the next begins.
struct Lent(Arc<Mutex<Box<dyn Sink>>>);

impl Lent {
    fn with<T>(&self, work: impl FnOnce(&mut dyn Sink) -> T) -> T {
        work(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }
}

impl Sink for Lent {
    fn newest(&mut self) -> Option<Uid> {
        self.with(|sink| sink.newest())
    }

    fn send(&mut self, records: &[Record]) -> Answer {
        self.with(|sink| sink.send(records))
    }

    fn check(&mut self) -> Answer {
        self.with(|sink| sink.check())
    }
}
