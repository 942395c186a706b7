//! Events of the fleet once they are kept: known of late to the page, and handed to the logs that are joined.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use collector::logs::Logs;
use collector::{Arrival, Keep, KeepError, Kept, Recent};
use events::{Event, RecordKind};

use super::lately::{LATELY, Lately};

/// A store, and who hears of the events that it has committed.
pub(super) struct Heard {
    keep: Arc<dyn Keep>,
    logs: Option<Arc<Logs>>,
    /// What is known of late; set once the API is offered, never without one.
    recent: Arc<OnceLock<Arc<Recent>>>,
    /// Taken by one thread, the one that keeps.
    lately: Mutex<Lately>,
}

impl Heard {
    pub(super) fn new(
        keep: Arc<dyn Keep>,
        logs: Option<Arc<Logs>>,
        recent: Arc<OnceLock<Arc<Recent>>>,
    ) -> Self {
        Self { keep, logs, recent, lately: Mutex::new(Lately::new(LATELY)) }
    }
}

impl Keep for Heard {
    fn keep(&self, batch: &[Arrival]) -> Result<Kept, KeepError> {
        let kept = self.keep.keep(batch)?;
        let recent = self.recent.get();
        if recent.is_none() && self.logs.is_none() {
            return Ok(kept);
        }
        let mut is_refused = vec![false; batch.len()];
        for (place, _) in &kept.refused {
            if let Some(is_refused) = is_refused.get_mut(*place) {
                *is_refused = true;
            }
        }
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        for (arrival, is_refused) in batch.iter().zip(is_refused) {
            if is_refused
                || arrival.kind != RecordKind::Event
                || arrival.is_test
                || !lately.is_new(arrival)
            {
                continue;
            }
            let Ok(event) = serde_json::from_slice::<Event>(&arrival.json) else { continue };
            if let Some(recent) = recent {
                recent.event_of(&arrival.sensor, &event);
            }
            if let Some(logs) = &self.logs {
                logs.event(&arrival.sensor, &event);
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use collector::{Arrival, Keep, KeepError, Kept, Options, Question, Recent, Sensor};

    use events::RecordKind;

    use super::Heard;

    /// Refuses the second of a batch, or everything.
    struct Picky(bool);

    impl Keep for Picky {
        fn keep(&self, batch: &[Arrival]) -> Result<Kept, KeepError> {
            if self.0 {
                return Err(KeepError("no".to_owned()));
            }
            let refused = vec![(1, "no".to_owned())];
            Ok(Kept { new: batch.len() as u64 - 1, repeated: 0, refused })
        }
    }

    #[test]
    fn what_was_committed_is_known_of_late_and_nothing_else() {
        let event = include_str!("../../../delivery/src/test_event.json");
        let arrival = |sequence: u64, is_test: bool| Arrival {
            session: 1,
            sequence,
            sensor: "a".to_owned(),
            kind: RecordKind::Event,
            is_test,
            json: event.into(),
        };
        let batch = [arrival(1, false), arrival(2, false), arrival(3, true)];
        let recent = Arc::new(Recent::new(&Options::default(), Sensor::default()));
        let known = || -> Vec<String> {
            let question = Question { limit: 9, ..Question::default() };
            recent.events(&question).events.into_iter().map(|known| known.sensor).collect()
        };
        let told = Arc::new(OnceLock::from(Arc::clone(&recent)));
        let heard = |fails| Heard::new(Arc::new(Picky(fails)), None, Arc::clone(&told));
        assert!(heard(true).keep(&batch).is_err());
        assert_eq!(known(), Vec::<String>::new());
        let heard = heard(false);
        for times in 1..=2 {
            assert!(heard.keep(&batch).is_ok());
            assert_eq!(known(), ["a"], "sent {times} times");
        }
        assert_eq!(recent.snapshot(&Question::default()).resets.total(), 1);
    }
}
