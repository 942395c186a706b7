//! The store behind receivers.

use std::borrow::Cow;

use super::{Incoming, Store};
use crate::receive::{Arrival, Keep, KeepError, Kept};

impl Keep for Store {
    fn keep(&self, batch: &[Arrival]) -> Result<Kept, KeepError> {
        let batch: Vec<Incoming<'_>> = batch.iter().map(incoming).collect();
        let put = self.put(&batch).map_err(|error| KeepError(error.to_string()))?;
        let refused = put.refused.into_iter().map(|(place, why)| (place, why.0.to_owned()));
        Ok(Kept { new: put.new, repeated: put.repeated, refused: refused.collect() })
    }
}

fn incoming(arrival: &Arrival) -> Incoming<'_> {
    Incoming {
        session: arrival.session,
        sequence: arrival.sequence,
        sensor: Cow::Borrowed(&arrival.sensor),
        kind: arrival.kind,
        is_test: arrival.is_test,
        json: &arrival.json,
    }
}
