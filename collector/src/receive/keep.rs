//! What a receiver hands over, and to whom.

use bytes::Bytes;
use events::{RecordKind, Uid};

/// Where records are kept for good: the embedded store, or ClickHouse.
pub trait Keep: Send + Sync {
    /// Keeps a batch, each record once however often it is given; what this returns has been committed.
    ///
    /// # Errors
    /// Nothing of the batch may be taken for kept: it is to be given again later.
    fn keep(&self, batch: &[Arrival]) -> Result<Kept, KeepError>;
}

/// A record as it came: what it is called, and its line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// The run of the sensor's spool that it was numbered in.
    pub session: u64,
    /// Its number there; with `session` its name for ever.
    pub sequence: u64,
    /// Name of the sensor.
    pub sensor: String,
    /// What it says.
    pub kind: RecordKind,
    /// Whether it was made to try a sink: it is answered like others and not kept.
    pub is_test: bool,
    /// One JSON object: [`events::Record`].
    pub json: Bytes,
}

impl Arrival {
    /// The name as it stands in the line.
    #[must_use]
    pub fn uid(&self) -> String {
        Uid { session: self.session, sequence: self.sequence }.to_string()
    }
}

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// Records that were not known.
    pub new: u64,
    /// Records that were known already.
    pub repeated: u64,
    /// Records that cannot be kept, whenever they come: their place in the batch, and why.
    pub refused: Vec<(usize, String)>,
}

/// Why a batch could not be kept now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct KeepError(pub String);
