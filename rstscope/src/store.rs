//! The store of the embedded collector, fed from the spool like every sink.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use collector::{Incoming, Store, StoreError, StoreOptions};
use delivery::{Answer, OwnSink, Record, SendOptions, Sink};

/// What `--store` takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoreChoice {
    /// Nothing is kept.
    Off,
    /// It is kept here.
    At(PathBuf),
}

impl StoreChoice {
    /// Of the command line; anything but `off` is a directory.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("name a directory, or say off".to_owned()),
            "off" => Ok(Self::Off),
            path => Ok(Self::At(path.into())),
        }
    }

    /// Over what the configuration says.
    pub(crate) fn apply(&self, options: &mut StoreOptions) {
        options.enabled = *self != Self::Off;
        if let Self::At(path) = self {
            options.directory.clone_from(path);
        }
    }
}

/// Opens the store; `None` if none is wanted. One that cannot be opened is told, and the run goes on without
/// history, unless `is_required`.
///
/// # Errors
/// It cannot be opened, and is required.
pub(crate) fn open(
    options: &StoreOptions,
    is_required: bool,
) -> Result<Option<Arc<Store>>, StoreError> {
    if !options.enabled {
        return Ok(None);
    }
    match Store::open(options) {
        Ok(store) => Ok(Some(Arc::new(store))),
        Err(error) if !is_required => {
            tracing::warn!("{error}; going on without history");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The sink that feeds `store`.
pub(crate) fn sink(store: &Arc<Store>, directory: &Path) -> OwnSink {
    let target = directory.display().to_string();
    let mut sink = OwnSink::new(NAME, "store", target, Box::new(StoreSink(Arc::clone(store))));
    sink.send = SendOptions { secondary: true, batch_wait_s: BATCH_WAIT_S, ..sink.send };
    sink
}

struct StoreSink(Arc<Store>);

impl Sink for StoreSink {
    fn send(&mut self, records: &[Record]) -> Answer {
        let lines: Vec<Vec<u8>> = records.iter().map(Record::wire).collect();
        let batch: Vec<Incoming<'_>> =
            records.iter().zip(&lines).map(|(record, line)| incoming(record, line)).collect();
        match self.0.put(&batch) {
            Ok(put) => {
                if let Some((_, why)) = put.refused.first() {
                    tracing::warn!("store: {} records cannot be kept: {why}", put.refused.len());
                }
                Answer::Taken { refused: put.refused.len() as u64, said: "kept".to_owned() }
            }
            Err(error) => Answer::Later { why: error.to_string(), after: None },
        }
    }

    fn check(&mut self) -> Answer {
        match self.0.put(&[]) {
            Ok(_) => Answer::Taken { refused: 0, said: "can be written".to_owned() },
            Err(error) => Answer::Later { why: error.to_string(), after: None },
        }
    }
}

fn incoming<'l>(record: &'l Record, line: &'l [u8]) -> Incoming<'l> {
    Incoming {
        session: record.uid.session,
        sequence: record.uid.sequence,
        sensor: (&*record.sensor).into(),
        kind: record.kind.of,
        is_test: record.is_test,
        json: line,
    }
}

/// Its place in the spool and in counters.
pub(crate) const NAME: &str = "store";
/// The page shall show what has just happened.
const BATCH_WAIT_S: f64 = 0.2;
